"""Occupied voxels just under a surface: what occupancy maps want instead of triangles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels.library import Library
from im2hands_ros.kernels.mesh import voxel_centres

Points = NDArray[np.float32]

# Metres. Smaller voxels are millions a hand and take minutes.
_SMALLEST, _LARGEST = 0.0005, 1.0


def occupied_voxels(
    vertices: NDArray[np.floating],
    triangles: NDArray[np.integer],
    occupancy: Callable[[Points], NDArray[np.floating]],
    voxel_size: float,
    threshold: float = 0.5,
    kernels: Library | None = None,
) -> tuple[Points, NDArray[np.float32]]:
    """Voxels with an occupied centre that hold part of the layer half a voxel under the surface.

    The grid is axis-aligned and anchored at the frame's origin: centres at (k + 1/2) · voxel_size,
    as octomap has them, so that consecutive frames fill the same voxels.

    vertices (V, 3) metres, any frame; triangles (T, 3), counter-clockwise from outside; occupancy
    takes (N, 3) float32 points of that frame and returns (N,) probabilities; it is called once.
    kernels finds the voxels, if given, in place of NumPy.
    Returns centres (M, 3) float32 metres, sorted by x, y, z, and their occupancy (M,) float32, all
    at least `threshold`.
    Raises ValueError when voxel_size is not between half a millimetre and a metre.
    """
    if not voxel_size > 0:
        raise ValueError(f"voxel size {voxel_size} m is not positive; 0.005 suits hands")
    if not _SMALLEST <= voxel_size <= _LARGEST:
        raise ValueError(
            f"voxel size {voxel_size:g} m: give {_SMALLEST} to {_LARGEST}; 0.005 suits hands"
        )
    if not len(triangles):
        return np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
    find = partial(voxel_centres, kernels) if kernels else _voxels_under
    centres = find(vertices, triangles, voxel_size)
    probability = np.asarray(occupancy(centres), np.float32)
    occupied = probability >= threshold
    return centres[occupied], probability[occupied]


def _voxels_under(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer], size: float
) -> Points:
    """Centres of the voxels that hold part of the layer half a voxel under the surface."""
    surface, normals = _samples(np.asarray(vertices, np.float64), np.asarray(triangles), size)
    # Voxels that hold the surface itself are among these when their centre is occupied; evaluating
    # them too costs half as many evaluations again and finds nothing more.
    return _centres(surface - 0.5 * size * normals, size)


def _samples(
    vertices: NDArray[np.float64], triangles: NDArray[np.integer], spacing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points on all triangles about `spacing` apart or closer, with the triangles' unit normals."""
    corners = vertices[triangles]
    edges = corners - corners[:, [1, 2, 0]]
    parts = max(1, int(np.ceil(np.sqrt((edges**2).sum(-1).max()) / spacing)))
    # Centres of the upright sub-triangles of a triangle cut into parts² pieces.
    i, j = (index.ravel() for index in np.mgrid[:parts, :parts])
    i, j = i[i + j < parts], j[i + j < parts]
    weights = np.stack((i + 1 / 3, j + 1 / 3, parts - i - j - 2 / 3), 1) / parts
    points = np.einsum("sk,tkc->tsc", weights, corners)
    normals = np.cross(edges[:, 0], edges[:, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    return points.reshape(-1, 3), np.repeat(normals, len(weights), axis=0)


def _centres(points: NDArray[np.float64], size: float) -> Points:
    """Centres of the distinct voxels that hold the points, sorted by x, y, z."""
    key = np.floor(points / size).astype(np.int64)
    low = key.min(0)
    extent = key.max(0) - low + 1
    distinct = np.unique(np.ravel_multi_index(tuple((key - low).T), tuple(extent)))
    grid = np.stack(np.unravel_index(distinct, tuple(extent)), -1) + low
    return ((grid + 0.5) * size).astype(np.float32)
