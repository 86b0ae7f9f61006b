"""What is done with a surface once it is found, by the native library."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels.library import Library


def large_components(
    library: Library, vertices: NDArray[np.float32], triangles: NDArray[np.int32], share: float
) -> NDArray[np.bool_]:
    """(V,) of vertices (V, 3): does it belong to a component of at least this share of the largest
    one's volume? triangles (T, 3), closed, counter-clockwise from outside."""
    vertices, triangles = np.ascontiguousarray(vertices), np.ascontiguousarray(triangles)
    keep, found = np.empty(len(vertices), np.uint8), ctypes.c_int()
    library.checked(
        library.components(
            vertices.ctypes.data,
            len(vertices),
            triangles.ctypes.data,
            len(triangles),
            share,
            keep.ctypes.data,
            ctypes.byref(found),
        )
    )
    return keep.astype(bool)


def voxel_centres(
    library: Library,
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    size: float,
) -> NDArray[np.float32]:
    """(M, 3) centres, sorted, of the voxels that hold part of the layer half a voxel under a
    surface; vertices (V, 3) and size in metres."""
    vertices = np.ascontiguousarray(vertices, np.float32)
    triangles = np.ascontiguousarray(triangles, np.int32)
    centres = np.empty((len(triangles) + 64, 3), np.float32)
    for _ in range(2):  # a second time where there was too little room
        count = library.voxels(
            vertices.ctypes.data,
            len(vertices),
            triangles.ctypes.data,
            len(triangles),
            size,
            centres.ctypes.data,
            len(centres),
        )
        if library.checked(count) <= len(centres):
            break
        centres = np.empty((count, 3), np.float32)
    return centres[:count]


def shaded_colours(
    library: Library,
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    lamp: NDArray[np.floating],
    colour: tuple[float, float, float],
    darkest: float,
) -> NDArray[np.float32]:
    """(V, 4) colours in [0, 1] of the vertices (V, 3) of a mesh as a lamp in the unit direction
    (3,) lights their normals; triangles (T, 3)."""
    vertices = np.ascontiguousarray(vertices, np.float32)
    triangles = np.ascontiguousarray(triangles, np.int32)
    towards, share = np.asarray(lamp, np.float32), np.asarray(colour, np.float32)
    colours = np.empty((len(vertices), 4), np.float32)
    library.checked(
        library.shade(
            vertices.ctypes.data,
            len(vertices),
            triangles.ctypes.data,
            len(triangles),
            towards.ctypes.data,
            share.ctypes.data,
            darkest,
            colours.ctypes.data,
        )
    )
    return colours


def write_corners(
    library: Library,
    values: NDArray[np.float32],
    triangles: NDArray[np.int32],
    rows: int,
    address: int,
) -> None:
    """Write values (V, 3) as float64, or (V, 4) as float32, of each corner of the triangles (T, 3),
    and of the first one until there are `rows`, to an address with room for them."""
    library.checked(
        library.corners(
            *(values.ctypes.data, *values.shape, triangles.ctypes.data, len(triangles)),
            *(rows, address),
        )
    )
