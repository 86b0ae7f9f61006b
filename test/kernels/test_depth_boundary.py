"""The C interface of what is done with a depth image, with what does not fit.

`make test-asan` runs this file under AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import numpy as np
import pytest
from kernel_calls import BAD, every_library, refused

pytestmark = every_library

PIXELS, POINTS, MODES = 50, 40, 67


def addresses(arrays):
    return [it.ctypes.data if isinstance(it, np.ndarray) else it for it in arrays]


def pixels():
    """Arguments of known_pixels."""
    boxes = np.array([[1, 1, 39, 29, 2], [10, 5, 39, 29, 3]], np.int32)
    room, noisy = 1000, np.random.default_rng(0).normal(0.5, 0.001, (30, 40))
    return [
        *(noisy.astype(np.float32), 30, 40, boxes, 2, 0.01, 0.01, 5),
        *(np.zeros((room, 2), np.int32), np.zeros(room), np.zeros(room), room),
    ]


def fronts():
    random = np.random.default_rng(0)
    rays = np.concatenate([random.normal(0, 0.1, (PIXELS, 2)), np.ones((PIXELS, 1))], axis=1)
    centres, radii = random.normal(0, 0.05, (9, 3)) + [0, 0, 0.5], np.full((3, 9), 0.02)
    return [rays, PIXELS, centres, 9, radii, 3, np.zeros((3, PIXELS))]


def steps():
    random = np.random.default_rng(0)
    near = random.normal(0.5, 0.01, (2, 2, PIXELS))
    near[:, :, ::7] = np.inf
    chances = np.array([0.03, 0.008, 0.3, 0.024, 0.02, 0.25, 80])
    return [
        *(random.normal(0.5, 0.01, PIXELS), near[0].copy(), near[1].copy(), 2),
        *(random.random(PIXELS), PIXELS, np.linspace(-0.1, 0.1, 31), 31, chances),
        np.full(2, -1, np.int32),
    ]


def points():
    random = np.random.default_rng(0)
    return [
        *(random.normal(0, 0.1, (POINTS, 3)), POINTS, random.normal(0, 0.1, (21, 3))),
        *(np.zeros(POINTS), np.zeros((POINTS, 2), np.int32)),
    ]


def fit():
    random = np.random.default_rng(0)
    return [
        *(random.random(POINTS), random.integers(0, 21, (POINTS, 2)).astype(np.int32)),
        *(random.normal(0, 0.01, POINTS), random.normal(0, 1, (POINTS, 3)), random.random(POINTS)),
        *(POINTS, random.normal(0, 0.01, (21, 3, MODES)), MODES, np.zeros(MODES)),
    ]


CALLS = {
    "known_pixels": pixels,
    "fronts": fronts,
    "best_steps": steps,
    "attach": points,
    "skin_step": fit,
}


def run(kernels, name, given):
    return getattr(kernels, name)(*addresses(given))


@pytest.mark.parametrize("name", CALLS)
def test_calls_that_fit_fill_their_results(kernels, name):
    given = CALLS[name]()
    kernels.checked(run(kernels, name, given))
    result = given[-1] if isinstance(given[-1], np.ndarray) else given[-2]
    assert (result != (-1 if name == "best_steps" else 0)).any() and not np.isnan(result).any()


@pytest.mark.parametrize("name", CALLS)
def test_null_is_refused(kernels, name):
    given = CALLS[name]()
    for place, value in enumerate(given):
        if isinstance(value, np.ndarray):
            without = [None if number == place else it for number, it in enumerate(given)]
            refused(kernels, run(kernels, name, without), "null")


@pytest.mark.parametrize("name", ["fronts", "best_steps", "attach", "skin_step"])
def test_what_is_no_number_is_refused(kernels, name):
    results = {"fronts": (6,), "best_steps": (1, 2, 9), "attach": (3, 4), "skin_step": ()}[name]
    for place, value in enumerate(CALLS[name]()):
        if place in results or not isinstance(value, np.ndarray) or value.dtype != np.float64:
            continue
        for bad in BAD:
            given = CALLS[name]()
            given[place].flat[-1] = bad
            refused(kernels, run(kernels, name, given), "")
    if name == "best_steps":
        given = steps()
        given[2][1, 3] = np.nan
        refused(kernels, run(kernels, name, given), "not a number")


@pytest.mark.parametrize(
    ("name", "place", "values"),
    [
        ("known_pixels", 1, (2, -1, 1 << 20)),
        ("known_pixels", 4, (-1, 3)),
        ("known_pixels", 7, (0, -1)),
        ("known_pixels", 11, (-1,)),
        ("fronts", 1, (-1, 1 << 40)),
        ("fronts", 3, (0, -1, 1 << 20)),
        ("fronts", 5, (0, 9)),
        ("best_steps", 3, (0, 3)),
        ("best_steps", 5, (-1, 1 << 40)),
        ("best_steps", 7, (0, 65)),
        ("attach", 1, (-1, 1 << 40)),
        ("skin_step", 5, (-1, 1 << 40)),
        ("skin_step", 7, (0, 129)),
    ],
)
def test_sizes_that_do_not_fit_are_refused(kernels, name, place, values):
    for value in values:
        given = CALLS[name]()
        given[place] = value
        refused(kernels, run(kernels, name, given), "")


def test_boxes_and_ends_outside_are_refused(kernels):
    for place, value in ((0, 0), (1, 0), (2, 40), (3, 30), (4, 0)):
        given = pixels()
        given[3][1, place] = value
        refused(kernels, run(kernels, "known_pixels", given), "box 1")
    for value in (-1, 21):
        given = fit()
        given[1][3, 1] = value
        refused(kernels, run(kernels, "skin_step", given), "joint that is not there")


def test_no_more_pixels_than_there_is_room_for(kernels):
    given = pixels()
    whole = kernels.checked(run(kernels, "known_pixels", given))
    for room in (0, 1, whole - 1):
        given[-1] = room
        assert run(kernels, "known_pixels", given) == room
