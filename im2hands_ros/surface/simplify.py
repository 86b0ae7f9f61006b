"""A coarse copy of a mesh, by merging the vertices of each cell of a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 8


def simplify(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], faces: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """At most ``faces`` triangles of about the same shape, orientation kept.

    For collision checks: the copy need not be manifold. The finest grid that gives few enough
    triangles is found by bisection of its cell size.

    Args:
        vertices: (V, 3) metres. triangles: (T, 3).
        faces: the most triangles wanted, at least 4.
    """
    if len(triangles) <= faces:
        return vertices, triangles
    extent = float(np.ptp(vertices, axis=0).max())
    fine, coarse = 0.0, extent
    best = _merged(vertices, triangles, extent)
    for _ in range(_HALVINGS):
        cell = (fine + coarse) / 2
        merged = _merged(vertices, triangles, cell)
        if len(merged[1]) > faces:
            fine = cell
        else:
            coarse, best = cell, merged
    return best


def _merged(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], cell: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Each cell's vertices become their mean; triangles that collapse or coincide go."""
    keys = np.floor((vertices - vertices.min(axis=0)) / cell).astype(np.int64)
    width = keys.max() + 1
    flat = (keys[:, 0] * width + keys[:, 1]) * width + keys[:, 2]
    _, group, count = np.unique(flat, return_inverse=True, return_counts=True)
    means = [np.bincount(group, vertices[:, axis]) / count for axis in range(3)]
    corners = group[triangles]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    # The smallest corner first: a cyclic shift keeps the orientation.
    shift = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
    corners = np.unique(np.take_along_axis(corners, shift, axis=1), axis=0)
    return np.stack(means, axis=1).astype(np.float32), corners.astype(np.int32)
