"""The C interface with sizes, pointers and values that do not fit: refused, never a crash.

`make test-asan` runs this file under AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import ctypes
import random

import numpy as np
from kernel_calls import (
    ANCHOR_BLOCK,
    ANCHORS,
    BAD,
    HAND,
    IMAGE,
    PIXELS,
    TOKENS,
    WEIGHTS,
    block,
    every_library,
    refused,
    rows,
)

pytestmark = every_library


def network(kernels, count=WEIGHTS):
    weights = block(count)
    return kernels.network_new(weights.ctypes.data, count)


def image(kernels, count=IMAGE, size=PIXELS, tokens=TOKENS, spoil=None):
    values = block(count, 11)
    if spoil:
        values[random.randrange(count)] = spoil
    return kernels.image_new(values.ctypes.data, count, size, size, tokens)


def frame(kernels, net, hands=2, count=HAND, spoil=None):
    blocks = [block(count, seed) for seed in range(hands)]
    if spoil:
        blocks[-1][random.randrange(count)] = spoil
    return kernels.frame_new(net, image(kernels), rows(blocks), hands, count)


def refined_frame(kernels, hands=2):
    net = network(kernels)
    made = frame(kernels, net, hands)
    blocks = [block(ANCHOR_BLOCK, 7 + hand) for hand in range(hands)]
    kernels.checked(kernels.frame_refine(made, rows(blocks), ANCHOR_BLOCK, ANCHORS))
    return net, made


def test_weights_of_another_size_are_refused(kernels):
    assert network(kernels)
    for count in (0, -1, 1, WEIGHTS - 1, WEIGHTS + 1, 2 * WEIGHTS, -(1 << 40), 1 << 62):
        array = block(min(max(count, 1), 2 * WEIGHTS))
        refused(kernels, kernels.network_new(array.ctypes.data, count), "weights")
    refused(kernels, kernels.network_new(None, WEIGHTS), "weights")


def test_weights_that_are_no_numbers_are_refused(kernels):
    for bad in BAD:
        weights = block(WEIGHTS)
        weights[random.randrange(WEIGHTS)] = bad
        refused(kernels, kernels.network_new(weights.ctypes.data, WEIGHTS), "not finite")


def test_hands_that_do_not_fit_are_refused(kernels):
    net = network(kernels)
    assert frame(kernels, net) and frame(kernels, net, hands=1)
    refused(kernels, frame(kernels, None), "null")
    seen = image(kernels)
    refused(kernels, kernels.frame_new(net, None, rows([block(HAND)]), 1, HAND), "null")
    refused(kernels, kernels.frame_new(net, seen, None, 2, HAND), "null")
    refused(kernels, kernels.frame_new(net, seen, rows([None]), 1, HAND), "null")
    for hands in (0, 3):
        refused(kernels, frame(kernels, net, hands=hands), "give 1 or 2")
    refused(kernels, frame(kernels, net, count=HAND - 1), "not those of a hand")
    refused(kernels, frame(kernels, net, count=HAND + 1), "not those of a hand")
    for bad in BAD:
        refused(kernels, frame(kernels, net, spoil=bad), "not finite")


def test_images_that_do_not_fit_are_refused(kernels):
    assert image(kernels)
    refused(kernels, kernels.image_new(None, IMAGE, PIXELS, PIXELS, TOKENS), "image")
    for count in (0, -1, 1 << 40):
        refused(
            kernels,
            kernels.image_new(block(9).ctypes.data, count, PIXELS, PIXELS, TOKENS),
            "image",
        )
    for count in (IMAGE - 1, IMAGE + 1):
        refused(kernels, image(kernels, count), "not those of an image")
    for size, tokens in ((PIXELS - 1, TOKENS), (PIXELS, TOKENS + 1)):
        refused(kernels, image(kernels, size=size, tokens=tokens), "not those of an image")
    for size, tokens in ((0, TOKENS), (-5, TOKENS), (5000, TOKENS), (PIXELS, 0), (PIXELS, 257)):
        refused(kernels, image(kernels, size=size, tokens=tokens), "not those of a crop")
    for bad in BAD:
        refused(kernels, image(kernels, spoil=bad), "not finite")


def test_anchors_that_do_not_fit_are_refused(kernels):
    net = network(kernels)
    made = frame(kernels, net)
    good = rows([block(ANCHOR_BLOCK)] * 2)
    refused(kernels, kernels.frame_refine(None, good, ANCHOR_BLOCK, ANCHORS), "null")
    for anchors in (-2, 0, 1, 9, 1026):
        refused(kernels, kernels.frame_refine(made, good, ANCHOR_BLOCK, anchors), "anchors")
    for count in (0, -1, ANCHOR_BLOCK - 1):
        refused(kernels, kernels.frame_refine(made, good, count, ANCHORS), "anchors")
    refused(kernels, kernels.frame_refine(made, rows([None] * 2), ANCHOR_BLOCK, ANCHORS), "null")
    spoilt = block(ANCHOR_BLOCK)
    spoilt[5] = BAD[0]
    refused(
        kernels, kernels.frame_refine(made, rows([spoilt] * 2), ANCHOR_BLOCK, ANCHORS), "finite"
    )
    out = np.zeros(4, np.float32)
    refused(
        kernels, kernels.logits(made, 0, 1, block(12).ctypes.data, 4, out.ctypes.data), "no anchors"
    )


def test_logits_of_any_number_of_points_are_numbers(kernels):
    _, made = refined_frame(kernels)
    for count in (0, 1, 7, 8, 31, 33, 1023, 1024, 1025, 4099):
        points, out = block(3 * count, count), np.full(count + 1, 7, np.float32)
        for refined in (0, 1):
            kernels.checked(
                kernels.logits(made, 1, refined, points.ctypes.data, count, out.ctypes.data)
            )
            assert np.isfinite(out).all() and out[count] == 7


def test_points_and_hands_that_do_not_fit_are_refused(kernels):
    _, made = refined_frame(kernels)
    points, out = block(30), np.zeros(10, np.float32)
    for hand in (-1, 2, 1 << 30):
        refused(
            kernels,
            kernels.logits(made, hand, 0, points.ctypes.data, 10, out.ctypes.data),
            "no hand",
        )
    for count in (-1, 1 << 40):
        refused(
            kernels,
            kernels.logits(made, 0, 0, points.ctypes.data, count, out.ctypes.data),
            "points",
        )
    refused(kernels, kernels.logits(None, 0, 0, points.ctypes.data, 10, out.ctypes.data), "null")
    refused(kernels, kernels.logits(made, 0, 0, None, 10, out.ctypes.data), "null")
    refused(kernels, kernels.logits(made, 0, 0, points.ctypes.data, 10, None), "null")
    for bad in (*BAD, 101.0, -1e30):
        spoilt = points.copy()
        spoilt[random.randrange(30)] = bad
        refused(
            kernels, kernels.logits(made, 0, 0, spoilt.ctypes.data, 10, out.ctypes.data), "100 m"
        )
    # Values of a hand that make a projection without end are no reason to read beyond its pixels.
    net = network(kernels)
    wild = [block(HAND, 3, 1e18)]
    huge = kernels.frame_new(net, image(kernels), rows(wild), 1, HAND)
    kernels.checked(kernels.logits(huge, 0, 0, points.ctypes.data, 10, out.ctypes.data))


def test_searches_of_random_networks_end(kernels):
    for hands, resolution in ((1, 16), (2, 17), (2, 32), (1, 64)):
        net, made = refined_frame(kernels, hands)
        n = resolution + 1
        values = np.zeros((hands, n, n, n), np.float32)
        search = kernels.search_new(resolution, hands, values.ctypes.data)
        boxes = np.array([[-0.1, -0.1, -0.1, 0.2]] * hands, np.float32)
        for threshold, count in ((0.0, 21), (-3.0, 0), (2.0, 21), (2.0, 21)):
            bones = np.random.default_rng(count).uniform(-0.3, 1.3, (hands, max(count, 1), 6))
            bones = bones.astype(np.float32)
            kernels.checked(
                kernels.search_run(
                    search, made, 1, threshold, boxes.ctypes.data, bones.ctypes.data, count, 0.2
                )
            )
            for hand in range(hands):
                cells = cells_of(kernels, search, hand)
                assert (np.diff(cells) > 0).all() and (cells >= 0).all() and (cells < n**3).all()
                inside = corners(values[hand], cells, n) >= threshold
                assert (inside.any(0) & ~inside.all(0)).all()
        kernels.search_free(search)
        kernels.frame_free(made)
        kernels.network_free(net)


def corners(values, cells, n):
    offsets = [(dx * n + dy) * n + dz for dx in (0, 1) for dy in (0, 1) for dz in (0, 1)]
    return values.reshape(-1)[cells + np.array(offsets)[:, None]]


def cells_of(kernels, search, hand):
    count = kernels.checked(kernels.search_cells(search, hand, None, 0))
    cells = np.full(count + 1, -7, np.int64)
    for room in (count // 2, count):  # too little room is no reason to write beyond it
        assert kernels.search_cells(search, hand, cells.ctypes.data, room) == count
        assert cells[room] == -7
    rounds = (ctypes.c_int * 3)()
    assert kernels.search_rounds(search, hand, rounds, 2) >= 0 and rounds[2] == 0
    return cells[:count]


def test_searches_that_do_not_fit_are_refused(kernels):
    values = np.zeros((2, 17, 17, 17), np.float32)
    for resolution, hands, at in (
        (15, 2, True),
        (513, 1, True),
        (16, 0, True),
        (16, 3, True),
        (16, 2, False),
    ):
        made = kernels.search_new(resolution, hands, values.ctypes.data if at else None)
        refused(
            kernels,
            made,
            "use 16 to 512" if resolution in (15, 513) else "hands",
        )
    search = kernels.search_new(16, 2, values.ctypes.data)
    _, made = refined_frame(kernels)
    _, single = refined_frame(kernels, 1)
    boxes, bones = block(8), block(12)

    def run(
        it=search,
        of=made,
        threshold=0.0,
        box=boxes.ctypes.data,
        bone=bones.ctypes.data,
        count=1,
        reach=0.1,
    ):
        return kernels.search_run(it, of, 0, threshold, box, bone, count, reach)

    assert run() == 0
    for wrong in ({"it": None}, {"box": None}, {"bone": None}, {"count": -1}, {"count": 5000}):
        refused(kernels, run(**wrong), "segments")
    refused(kernels, run(of=None), "null")
    refused(kernels, run(of=single), "no hand")
    for bad in BAD:
        refused(kernels, run(threshold=bad), "not finite")
    refused(kernels, run(reach=BAD[0]), "not finite")
    for array in (boxes, bones):
        array[-1], kept = BAD[0], array[-1]
        refused(kernels, run(), "not finite")
        array[-1] = kept
    refused(kernels, kernels.search_cells(search, 2, None, 0), "no hand 2")
    refused(kernels, kernels.search_rounds(search, 0, None, 3), "no room")


def test_numbers_of_threads_out_of_range_are_refused(kernels):
    for count in (0, -1, 257):
        refused(kernels, kernels.threads(count), "threads")
    for count in (1, 3, 2):
        assert kernels.threads(count) == 0
