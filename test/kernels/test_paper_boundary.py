"""The C interface of the published networks' layers with what does not fit.

`make test-asan` runs this file under AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import numpy as np
import pytest
from kernel_calls import BAD, block, every_library, refused

pytestmark = every_library

WIDTH, SIZE, POINTS, NEAR = 32, 7, 50, 4
ATTENTION = 4 * WIDTH + 3 * WIDTH**2
BONES, LAYER, IMAGE = 3, 8, 4
DECODER = BONES * (2 * (LAYER**2 + LAYER) + (LAYER + IMAGE) * LAYER + LAYER + 1)


def addresses(arrays):
    return [
        array if array is None or isinstance(array, int) else array.ctypes.data for array in arrays
    ]


@pytest.fixture
def attention(kernels):
    weights = block(ATTENTION)
    handle = kernels.attention_new(weights.ctypes.data, weights.size, WIDTH)
    yield handle
    kernels.attention_free(handle)


@pytest.fixture
def decoder(kernels):
    weights = block(DECODER)
    handle = kernels.decoder_new(weights.ctypes.data, weights.size, BONES, LAYER, IMAGE)
    yield handle
    kernels.decoder_free(handle)


def attending(queries=True, whole=True):
    near = np.random.default_rng(0).integers(0, SIZE, (POINTS, NEAR)).astype(np.int32)
    return [
        *(block(3 * SIZE, 1), block(SIZE * WIDTH, 2), block(SIZE * WIDTH, 3), SIZE),
        *(block(3 * POINTS, 4), block(POINTS * WIDTH, 5) if queries else None, near),
        *(POINTS, NEAR, block(2 * WIDTH, 6) if whole else None),
        np.full(POINTS * WIDTH, np.nan, np.float32),
    ]


def test_weights_of_another_size_are_refused(kernels):
    for count in (0, -1, 1, ATTENTION - 1, ATTENTION + 1, 1 << 62):
        weights = block(min(max(count, 1), 2 * ATTENTION))
        result = kernels.attention_new(weights.ctypes.data, count, WIDTH)
        refused(kernels, result, "weights")
    for width in (0, -16, 8, 31, 1040):
        weights = block(ATTENTION)
        refused(kernels, kernels.attention_new(weights.ctypes.data, ATTENTION, width), "width")
    for count in (0, -1, DECODER - 1, DECODER + 1, 1 << 62):
        weights = block(min(max(count, 1), 2 * DECODER))
        result = kernels.decoder_new(weights.ctypes.data, count, BONES, LAYER, IMAGE)
        refused(kernels, result, "weights")
    for sizes in ((0, 8, 4), (65, 8, 4), (3, 6, 4), (3, 0, 4), (3, 260, 4), (3, 8, 3), (3, 8, 0)):
        weights = block(DECODER)
        refused(kernels, kernels.decoder_new(weights.ctypes.data, DECODER, *sizes), "bones")
    for bad in BAD:
        weights = block(ATTENTION)
        weights[-1] = bad
        refused(kernels, kernels.attention_new(weights.ctypes.data, ATTENTION, WIDTH), "finite")


@pytest.mark.parametrize(("queries", "whole"), [(True, True), (False, False), (False, True)])
def test_an_attention_fills_all_of_its_result(kernels, attention, queries, whole):
    given = attending(queries, whole)
    kernels.checked(kernels.attention_run(attention, *addresses(given)))
    assert np.isfinite(given[-1]).all()


def test_an_attention_refuses_null_and_what_is_no_number(kernels, attention):
    given = attending()
    for place in (0, 1, 2, 4, 6, 10):
        without = [None if number == place else it for number, it in enumerate(given)]
        refused(kernels, kernels.attention_run(attention, *addresses(without)), "null")
    refused(kernels, kernels.attention_run(None, *addresses(given)), "null")
    for place in (0, 1, 2, 4, 5, 9):
        for bad in BAD:
            spoiled = list(given)
            spoiled[place] = given[place].copy()
            spoiled[place][-1] = bad
            refused(kernels, kernels.attention_run(attention, *addresses(spoiled)), "not finite")


def test_an_attention_refuses_sizes_and_neighbours_that_do_not_fit(kernels, attention):
    for place, values in ((3, (0, -1, 1 << 20)), (8, (0, -1, 1025)), (7, (-1, 1 << 40))):
        for value in values:
            given = attending()
            given[place] = value
            refused(kernels, kernels.attention_run(attention, *addresses(given)), "")
    for wrong in (-1, SIZE, 1 << 30):
        given = attending()
        given[6][3, 2] = wrong
        refused(kernels, kernels.attention_run(attention, *addresses(given)), "neighbour")
    given = attending()
    given[7] = 0
    assert kernels.attention_run(attention, *addresses(given)) == 0


def test_nearest_refuses_more_than_there_are(kernels):
    centres, places, out = block(30), block(3 * SIZE), np.full(10 * SIZE, -1, np.int32)

    def run(count=10, size=SIZE, wanted=SIZE, given=(centres, places, out)):
        first, second, third = addresses(given)
        return kernels.nearest(first, count, second, size, wanted, third)

    kernels.checked(run())
    assert (np.sort(out.reshape(10, SIZE)) == np.arange(SIZE)).all()
    for wanted in (0, -1, SIZE + 1):
        refused(kernels, run(wanted=wanted), "neighbours")
    for count in (-1, 1 << 60):
        refused(kernels, run(count=count), "points")
    for place in range(3):
        given = [
            None if number == place else it for number, it in enumerate((centres, places, out))
        ]
        refused(kernels, run(given=given), "null")
    for bad in BAD:
        places[4] = bad
        refused(kernels, run(), "not finite")


def test_a_decoder_refuses_null_and_what_is_no_number(kernels, decoder):
    given = [
        block(BONES * 4 * LAYER),
        block(3 * 70),
        block(IMAGE * 70),
        70,
        np.zeros(70, np.float32),
    ]
    kernels.checked(kernels.decoder_run(decoder, *addresses(given)))
    assert np.isfinite(given[-1]).all() and given[-1].std() > 0
    for place in (0, 1, 2, 4):
        without = [None if number == place else it for number, it in enumerate(given)]
        refused(kernels, kernels.decoder_run(decoder, *addresses(without)), "null")
    for place in (0, 1, 2):
        for bad in BAD:
            spoiled = list(given)
            spoiled[place] = given[place].copy()
            spoiled[place][-1] = bad
            refused(kernels, kernels.decoder_run(decoder, *addresses(spoiled)), "not finite")
    for count in (-1, 1 << 40):
        given[3] = count
        refused(kernels, kernels.decoder_run(decoder, *addresses(given)), "points")
