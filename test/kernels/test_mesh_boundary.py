"""Meshes and attention over the C interface with what does not fit; see test_kernel_boundary.py."""

import ctypes

import numpy as np
from kernel_calls import BAD, block, every_library, refused

pytestmark = every_library


def test_meshes_of_any_triangles_are_answered_or_refused(kernels):
    rng = np.random.default_rng(3)
    for turn in range(200):
        v, t = int(rng.integers(1, 60)), int(rng.integers(1, 120))
        vertices = rng.normal(0, 0.05, (v, 3)).astype(np.float32)
        triangles = rng.integers(0, v, (t, 3)).astype(np.int32)
        if turn % 4 == 1:
            triangles[rng.integers(t), rng.integers(3)] = (v, -1, 1 << 30)[turn % 3]
        if turn % 4 == 2:
            vertices[rng.integers(v), rng.integers(3)] = (*BAD, 200.0)[turn // 4 % 4]
        keep, found = np.full(v + 1, 9, np.uint8), ctypes.c_int()
        mesh = (vertices.ctypes.data, v, triangles.ctypes.data, t)
        kept = kernels.components(*mesh, 0.05, keep.ctypes.data, ctypes.byref(found))
        room = int(rng.integers(0, 50))
        centres = np.full((room + 1, 3), 9, np.float32)
        size = float(10 ** rng.uniform(-2.5, 2))
        count = kernels.voxels(*mesh, size, centres.ctypes.data, room)
        if turn % 4 in (1, 2):
            assert kept < 0 and count < 0 and kernels.error()
        else:
            assert 0 <= kept <= found.value <= v and keep[v] == 9 and (keep[:v] <= 1).all()
            assert count >= 1 and (centres[room] == 9).all()


def test_meshes_and_sizes_that_do_not_fit_are_refused(kernels):
    vertices, triangles = np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32)
    at = (vertices.ctypes.data, 3, triangles.ctypes.data, 1)
    for size in (0.0, -1.0, 1e-5, 1e9, *BAD):
        refused(kernels, kernels.voxels(*at, size, None, 0), "voxel size")
    for mesh in (
        (None, 3, at[2], 1),
        (at[0], 3, None, 1),
        (at[0], 0, at[2], 1),
        (at[0], 3, at[2], -4),
    ):
        refused(kernels, kernels.voxels(*mesh, 0.01, None, 0), "mesh")
    refused(kernels, kernels.voxels(*at, 0.01, None, 5), "no room")
    refused(kernels, kernels.components(*at, 0.05, None, None), "no room")
    vertices[1] = 99.0  # one triangle as large as can be, in voxels as small as can be
    triangles[0] = 0, 1, 2
    assert kernels.voxels(*at, 99.0, None, 0) >= 1
    refused(kernels, kernels.voxels(*at, 1e-4, None, 0), "too many")


def test_attention_blocks_that_do_not_fit_are_refused(kernels):
    width, count = 8, 11
    size = 2 * (6 * width * width + 6 * width)
    weights = block(size)

    def made(count=size, blocks=2, width=width, heads=2, at=weights.ctypes.data):
        return kernels.blocks_new(at, count, blocks, width, heads)

    for wrong in (
        {"blocks": 0},
        {"blocks": 65},
        {"width": 6},
        {"width": 260},
        {"width": -4},
        {"heads": 0},
        {"heads": 3},
    ):
        refused(kernels, made(**wrong), "blocks of width")
    for wrong in ({"count": size - 1}, {"count": 0}, {"at": None}, {"blocks": 1}, {"width": 4}):
        refused(kernels, made(**wrong), "weights")
    blocks = made()
    for sequences, tokens in ((0, 1), (1, 1), (3, count), (2, 129), (1, 1024)):
        x = block(sequences * tokens * width + 1)
        last, mask = x[-1], np.ones(max(sequences * tokens, 1), np.uint8)
        mask[: tokens // 2] = 0
        for masked in (None, mask.ctypes.data):
            assert kernels.blocks_run(blocks, x.ctypes.data, sequences, tokens, masked) == 0
        assert np.isfinite(x).all() and x[-1] == last
    x, none = block(count * width), np.zeros(count, np.uint8)
    for sequences, tokens in ((-1, 1), (5000, 1), (1, 0), (1, 1025)):
        refused(
            kernels, kernels.blocks_run(blocks, x.ctypes.data, sequences, tokens, None), "use 1"
        )
    refused(kernels, kernels.blocks_run(blocks, None, 1, count, None), "null")
    refused(
        kernels, kernels.blocks_run(blocks, x.ctypes.data, 1, count, none.ctypes.data), "masked"
    )
    x[3] = BAD[0]
    refused(kernels, kernels.blocks_run(blocks, x.ctypes.data, 1, count, None), "not finite")


def test_shading_refuses_meshes_and_lamps_that_do_not_fit(kernels):
    rng = np.random.default_rng(4)
    vertices = rng.normal(0, 0.05, (9, 3)).astype(np.float32)
    triangles = rng.integers(0, 9, (20, 3)).astype(np.int32)
    lamp, colour = np.float32([0, 0, -1]), np.float32([1, 0.5, 0])
    colours = np.full((10, 4), 9, np.float32)

    def shade(darkest=0.2, lamp=lamp, colour=colour, triangles=triangles):
        mesh = (vertices.ctypes.data, 9, triangles.ctypes.data, len(triangles))
        light = (lamp.ctypes.data, colour.ctypes.data, darkest)
        return kernels.shade(*mesh, *light, colours.ctypes.data)

    kernels.checked(shade())
    assert (colours[9] == 9).all() and ((colours[:9] >= 0) & (colours[:9] <= 1)).all()
    for bad in (*BAD, 3.0):
        refused(kernels, shade(lamp=np.float32([bad, 0, 0])), "out of range")
        refused(kernels, shade(colour=np.float32([0, bad, 0])), "out of range")
        refused(kernels, shade(bad), "out of range")
    refused(kernels, shade(triangles=np.int32([[0, 1, 9]])), "not there")


def test_corners_refuse_what_is_no_mesh_and_too_little_room(kernels):
    values, triangles = block(9 * 4).reshape(9, 4), np.int32([[0, 1, 2], [2, 1, 8]])
    out = np.zeros(4 * 8 + 1, np.float32)

    def corners(columns=4, triangles=triangles, count=2, rows=8, values=values):
        given = (values.ctypes.data, 9, columns, triangles.ctypes.data, count, rows)
        return kernels.corners(*given, out.ctypes.data)

    kernels.checked(corners())
    expected = values[[0, 1, 2, 2, 1, 8, 0, 0]].ravel()
    assert (out[:-1] == expected).all() and out[-1] == 0
    for columns in (0, 2, 5, -4):
        refused(kernels, corners(columns), "columns")
    for wrong in (-1, 9, 1 << 30):
        refused(kernels, corners(triangles=np.int32([[0, 1, 2], [2, wrong, 8]])), "not there")
    for count in (0, -1, 1 << 40):
        refused(kernels, corners(count=count), "triangles")
    for rows in (0, 5, -1, 1 << 60):
        refused(kernels, corners(rows=rows), "rows")
    refused(
        kernels, kernels.corners(None, 9, 4, triangles.ctypes.data, 2, 8, out.ctypes.data), "null"
    )
