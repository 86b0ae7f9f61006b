"""The C interface of encoder, keypoint refinement and marching cubes with what does not fit.

`make test-asan` runs this file under AddressSanitizer and UndefinedBehaviorSanitizer.
"""

import numpy as np
from kernel_calls import BAD, block, every_library, refused

from im2hands_ros.kernels import marching

pytestmark = every_library

ENCODER, SIDE = 2_010_733, 192  # floats of the weights
KEYPOINTS = 3_668_682
IMAGE, FEATURES, CONTEXT, HEAT = 3 * SIDE**2, 32 * 48**2, 192 * 36, 42 * 48**2


def sizes_that_do_not_fit(new, count, words, *more):
    weights = block(count)
    assert new(weights.ctypes.data, count, *more)
    for wrong in (0, -1, 1, count - 1, count + 1, -(1 << 40), 1 << 62):
        array = block(min(max(wrong, 1), 2 * count))
        yield new(array.ctypes.data, wrong, *more), words
    yield new(None, count, *more), words


def test_weights_of_an_encoder_of_another_size_are_refused(kernels):
    for result, words in sizes_that_do_not_fit(kernels.encoder_new, ENCODER, "weights", SIDE):
        refused(kernels, result, words)
    for side in (0, -192, 96, 191, 200, 1 << 20):
        weights = block(ENCODER)
        refused(kernels, kernels.encoder_new(weights.ctypes.data, ENCODER, side), "192")


def test_an_encoder_refuses_images_that_are_no_numbers_and_null(kernels):
    weights = block(ENCODER, scale=0.02)
    encoder = kernels.encoder_new(weights.ctypes.data, ENCODER, SIDE)
    arrays = [np.zeros(size, np.float32) for size in (IMAGE, FEATURES, CONTEXT, HEAT)]
    addresses = [array.ctypes.data for array in arrays]
    kernels.checked(kernels.encoder_run(encoder, *addresses))
    assert all(np.isfinite(array).all() for array in arrays)
    for place in range(4):
        given = [None if place == number else it for number, it in enumerate(addresses)]
        refused(kernels, kernels.encoder_run(encoder, *given), "null")
    for bad in BAD:
        arrays[0][1234] = bad
        refused(kernels, kernels.encoder_run(encoder, *addresses), "not finite")
    kernels.encoder_free(encoder)


def test_weights_of_a_keypoint_network_of_another_size_are_refused(kernels):
    for result, words in sizes_that_do_not_fit(kernels.keypoints_new, KEYPOINTS, "weights"):
        refused(kernels, result, words)


def test_a_keypoint_network_refuses_what_is_no_frame(kernels):
    weights = block(KEYPOINTS, scale=0.02)
    network = kernels.keypoints_new(weights.ctypes.data, KEYPOINTS)
    sizes = (FEATURES, CONTEXT, HEAT, 9, 126)
    arrays = [block(size, seed) for seed, size in enumerate(sizes)]
    arrays[3][:] = np.float32([200, 0, 96, 0, 200, 96, 0, 0, 1])
    present, results = np.ones(2, np.uint8), [np.zeros(42, np.float32), np.zeros(1, np.float32)]

    def run(given=arrays):
        addresses = [None if it is None else it.ctypes.data for it in given]
        return kernels.keypoints_run(
            network, *addresses, present.ctypes.data, *(it.ctypes.data for it in results)
        )

    kernels.checked(run())
    assert np.isfinite(arrays[4]).all() and np.isfinite(results[0]).all()
    for array in arrays:
        refused(kernels, run([None if it is array else it for it in arrays]), "null")
        for bad in BAD:
            spoiled = array.copy()
            spoiled[len(spoiled) // 2] = bad
            refused(kernels, run([spoiled if it is array else it for it in arrays]), "not finite")
    arrays[3][0] = -200
    refused(kernels, run(), "focal length")
    arrays[3][0] = 200
    present[:] = 0
    refused(kernels, run(), "no hand")
    kernels.keypoints_free(network)


def test_joints_anywhere_are_sampled_within_the_maps(kernels):
    weights = block(KEYPOINTS, scale=0.02)
    network = kernels.keypoints_new(weights.ctypes.data, KEYPOINTS)
    image = [block(size, 1) for size in (FEATURES, CONTEXT, HEAT)]
    camera = np.float32([200, 0, 96, 0, 200, 96, 0, 0, 1])
    present, spread, side = np.ones(2, np.uint8), np.zeros(42, np.float32), np.zeros(1, np.float32)
    for scale in (0, 1e-30, 1, 99):
        joints = (scale * np.random.default_rng(2).uniform(-1, 1, 126)).astype(np.float32)
        given = (*image, camera, joints, present, spread, side)
        kernels.checked(kernels.keypoints_run(network, *(it.ctypes.data for it in given)))
        assert np.isfinite(joints).all()


def test_tables_of_another_size_or_with_other_numbers_are_refused(kernels):
    tables = marching.tables()
    assert kernels.mesher_new(tables.ctypes.data, tables.size)
    for count in (0, -1, 1, tables.size - 1, 1 << 62):
        refused(kernels, kernels.mesher_new(tables.ctypes.data, count), "tables")
    generator = np.random.default_rng(0)
    for _ in range(30):
        wrong = generator.integers(-128, 128, tables.size).astype(np.int8)
        refused(kernels, kernels.mesher_new(wrong.ctypes.data, wrong.size), "tables")


def test_a_mesher_refuses_cells_and_values_that_do_not_fit(kernels):
    tables = marching.tables()
    mesher = kernels.mesher_new(tables.ctypes.data, tables.size)
    values = block(5**3)
    sizes = np.zeros(3, np.int64)

    def run(cells, resolution=4, threshold=0.0, clearance=1e-3, share=0.05):
        cells = np.asarray(cells, np.int64)
        given = (values.ctypes.data, resolution, cells.ctypes.data, len(cells))
        last = (threshold, clearance, share, sizes.ctypes.data)
        return kernels.mesher_run(mesher, *given, *last)

    kernels.checked(run([0, 31, 32]))
    for cells in ([-1], [4], [20], [100], [124], [1 << 40], [1, 0], [1, 1]):
        refused(kernels, run(cells), "cell")
    for resolution in (0, -1, 513):
        refused(kernels, run([0], resolution), "cells a side")
    for bad in (*BAD, 1e5):
        refused(kernels, run([0], threshold=bad), "out of range")
    for bad in (float("nan"), -1.0, 2.0):
        refused(kernels, run([0], clearance=bad), "out of range")
        refused(kernels, run([0], share=bad), "out of range")
    values[31] = float("nan")
    refused(kernels, run([0, 31]), "not finite")
    kernels.mesher_free(mesher)
