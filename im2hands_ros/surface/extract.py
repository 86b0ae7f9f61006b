"""Triangles from the values that a search found: closed, outward, without small components.

Marching cubes runs over the block that holds the surface cells, and only on those cells. Vertices
are placed on lattice edges by linear interpolation of the field, so a field of logits (near the
surface proportional to the distance) gives better places than one of probabilities (flat away
from the surface).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from im2hands_ros.kernels.library import Library
from im2hands_ros.kernels.marching import mesher
from im2hands_ros.kernels.mesh import large_components
from im2hands_ros.surface.marched_cells import MarchedCells
from im2hands_ros.surface.search import SurfaceCells

# A value this close to the threshold (as a share of the mean distance at the surface's cells) is
# moved away: it would put up to six vertices of one lattice point on the same spot, and triangles
# of no area between them.
CLEARANCE = 1e-3
SMALLEST_SHARE = 0.05
_NOTHING = np.empty((0, 3, 3), np.float32)


@dataclass(frozen=True)
class Triangles:
    """A closed mesh in the hand's box.

    vertices (V, 3) float32, box coordinates [0, 1]^3.
    triangles (T, 3) int32, counter-clockwise seen from outside.
    left_out (L, 3, 3) float32, corners of the triangles of what was left out: closed pieces.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    left_out: NDArray[np.float32] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class _Block:
    """The part of the lattice that holds the surface: threshold subtracted, positive inside."""

    values: NDArray[np.float32]
    cells: NDArray[np.bool_]
    low: NDArray[np.int64]


def extract(cells: SurfaceCells, hand: int, kernels: Library | None = None) -> Triangles | None:
    """The mesh of one hand of a search, or None where it has no surface.

    Components smaller than SMALLEST_SHARE of the largest one's volume and inner cavities are left
    out, so every component of the result is watertight with positive volume.
    kernels does it all, if given, in place of scikit-image and SciPy.
    """
    if isinstance(cells, MarchedCells):
        return _large_parts(cells, hand, kernels)
    if not len(cells.cells[hand]):
        return None
    by_kernels = mesher(kernels) if kernels else None
    if by_kernels:
        found = by_kernels(
            cells.values[hand].numpy(),
            cells.cells[hand].numpy(),
            cells.threshold,
            CLEARANCE,
            SMALLEST_SHARE,
        )
        scale = np.float32(1 / cells.resolution)
        return found and Triangles(found[0] * scale, found[1], found[2] * scale)
    block = _block_around_surface(cells, hand)
    vertices, triangles = _marched(block)
    vertices = ((vertices + block.low) / cells.resolution).astype(np.float32)
    triangles = triangles.astype(np.int32)
    return _only(_in_large_components(vertices, triangles, SMALLEST_SHARE), vertices, triangles)


def _large_parts(cells: MarchedCells, hand: int, kernels: Library | None) -> Triangles | None:
    """What a device found, without small components."""
    vertices, triangles = cells.surfaces[hand]
    if not len(triangles):
        return None
    vertices = vertices / np.float32(cells.resolution)
    find = partial(large_components, kernels) if kernels else _in_large_components
    return _only(find(vertices, triangles, SMALLEST_SHARE), vertices, triangles)


def orient(triangles: NDArray[np.int32], mirrored: bool) -> NDArray[np.int32]:
    """Keep triangles counter-clockwise when a mirroring maps their vertices (the left hand)."""
    return triangles[:, ::-1] if mirrored else triangles


def _block_around_surface(cells: SurfaceCells, hand: int) -> _Block:
    side = cells.resolution + 1
    index = cells.cells[hand]
    low_corner = torch.stack((index // side**2, index // side % side, index % side), -1)
    lowest, highest = torch.stack((low_corner.amin(0), low_corner.amax(0) + 1)).cpu().numpy()
    sub = tuple(slice(a, b + 1) for a, b in zip(lowest, highest, strict=True))
    values = (cells.values[hand][sub] - cells.threshold).cpu().numpy()
    mask = np.zeros(values.shape, dtype=bool)
    mask[tuple((low_corner.cpu().numpy() - lowest).T)] = True
    return _Block(_clear_of_zero(values, mask), mask, lowest)


def _clear_of_zero(values: NDArray[np.float32], cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values without any near zero, measured by those at the surface; zero counts as inside."""
    least = np.float32(max(CLEARANCE * np.abs(values[cells]).mean(), np.finfo(np.float32).tiny))
    near = np.abs(values) < least
    values[near] = np.where(values[near] >= 0, least, -least)
    return values


def _marched(block: _Block) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    # scikit-image marches the cells whose high corner is set in the mask.
    mask = np.zeros(block.cells.shape, dtype=bool)
    mask[1:, 1:, 1:] = block.cells[:-1, :-1, :-1]
    vertices, triangles, _, _ = marching_cubes(
        block.values, 0.0, mask=mask, gradient_direction="ascent"
    )
    return vertices, triangles


def _only(
    kept: NDArray[np.bool_], vertices: NDArray[np.float32], triangles: NDArray[np.int32]
) -> Triangles | None:
    """The part of a mesh whose vertices (V,) are kept, with the whole of every triangle."""
    if not kept.any():
        return None
    if kept.all():
        return Triangles(vertices, triangles)
    renumbered = np.cumsum(kept) - 1
    stays = kept[triangles[:, 0]]
    left_out = vertices[triangles[~stays]]
    return Triangles(vertices[kept], renumbered[triangles[stays]].astype(np.int32), left_out)


def _in_large_components(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32], share: float
) -> NDArray[np.bool_]:
    """(V,) False for vertices of components of small or negative volume."""
    count, label = _components(len(vertices), triangles)
    a, b, c = (vertices[triangles[:, corner]].astype(np.float64) for corner in range(3))
    volume = np.bincount(label[triangles[:, 0]], (np.cross(a, b) * c).sum(1) / 6, minlength=count)
    return (volume >= max(share * volume.max(), np.finfo(float).tiny))[label]


def _components(vertex_count: int, triangles: NDArray[np.int32]) -> tuple[int, NDArray[np.int32]]:
    start, end = triangles[:, [0, 1]].T.ravel(), triangles[:, [1, 2]].T.ravel()
    graph = coo_array((np.ones(len(start), bool), (start, end)), (vertex_count, vertex_count))
    return connected_components(graph, directed=False)
