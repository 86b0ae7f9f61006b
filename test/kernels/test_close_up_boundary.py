"""The C interface of the refinement by close-ups, with what does not fit.

`make test-asan` runs this file under AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import numpy as np
import pytest
from kernel_calls import BAD, block, every_library, refused

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.native_close_ups import close_up_weights
from im2hands_ros.networks.compact.presets import COMPACT

pytestmark = every_library

ROWS, COLUMNS, BOTH = 30, 40, 42
WEIGHTS = close_up_weights(CloseUpRefinement(COMPACT.closeups).eval()).size
# Pixels, axes, steps, the tracker's joints, which hands are present, joints, spread.
NUMBERS = (0, 1, 2, 3, 5)


def arrays(scale=20.0, step=1.0):
    random = np.random.default_rng(0)
    angle = random.uniform(0, 6, BOTH)
    x, y = np.cos(angle), np.sin(angle)
    joints = random.normal(0, 0.05, (2, BOTH, 3)) + [0, 0, 0.5]
    floats = (
        *(scale * random.random((BOTH, 2)), np.stack([x, y, -y, x], -1)),
        *(np.full(2, step), joints[0]),
    )
    pixels, axes, steps, given = (each.astype(np.float32) for each in floats)
    present, spread = np.ones(2, np.uint8), np.zeros(BOTH, np.float32)
    return [pixels, axes, steps, given, present, joints[1].astype(np.float32), spread]


@pytest.fixture
def run(kernels):
    """Calls the library with a network of small weights."""
    weights = block(WEIGHTS, scale=0.02)
    network = kernels.checked(kernels.closeups_new(weights.ctypes.data, WEIGHTS))

    def call(given, rows=ROWS, columns=COLUMNS, handle=network):
        shape = (max(rows, 1), max(columns, 1), 3) if rows * columns < 1 << 20 else (1, 1, 3)
        image = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
        places = [None if each is None else each.ctypes.data for each in given]
        return kernels.closeups_run(handle, image.ctypes.data, rows, columns, *places)

    yield call
    kernels.closeups_free(network)


def test_weights_of_another_size_or_that_are_no_numbers_are_refused(kernels):
    weights = block(WEIGHTS, scale=0.02)
    for count in (0, -1, 1, WEIGHTS - 1, 1 << 62):
        refused(kernels, kernels.closeups_new(weights.ctypes.data, count), "weights")
    refused(kernels, kernels.closeups_new(None, WEIGHTS), "weights")
    for bad in BAD:
        weights[WEIGHTS // 2] = bad
        refused(kernels, kernels.closeups_new(weights.ctypes.data, WEIGHTS), "not finite")


def test_null_is_refused(kernels, run):
    given = arrays()
    kernels.checked(run(given))
    assert np.isfinite(given[5]).all() and (given[6] > 0).all()
    refused(kernels, run(arrays(), handle=None), "null")
    for place in range(len(given)):
        refused(kernels, run([None if i == place else it for i, it in enumerate(arrays())]), "null")


def test_what_is_no_number_is_refused(kernels, run):
    for place in NUMBERS:
        for bad in BAD:
            given = arrays()
            given[place].flat[-1] = bad
            refused(kernels, run(given), "not finite")
    for step in (0, -1):
        refused(kernels, run(arrays(step=step)), "step is not positive")


def test_images_and_hands_that_do_not_fit_are_refused(kernels, run):
    for rows, columns in ((0, 4), (4, -1), (1 << 20, 1 << 20)):
        refused(kernels, run(arrays(), rows, columns), "an image of")
    given = arrays()
    given[4][:] = 0
    refused(kernels, run(given), "no hand is present")


def test_close_ups_anywhere_are_sampled_within_the_picture(kernels, run):
    for scale, step, rows, columns in (
        *((1e6, 1.0, ROWS, COLUMNS), (-1e6, 1e6, ROWS, COLUMNS), (20, 1e-30, ROWS, COLUMNS)),
        *((20, 1.0, 1, 1), (20, 3.0, 1, 40), (0, 1e6, 2, 1)),
    ):
        given = arrays(scale, step)
        kernels.checked(run(given, rows, columns))
        assert np.isfinite(given[5]).all() and np.isfinite(given[6]).all()
