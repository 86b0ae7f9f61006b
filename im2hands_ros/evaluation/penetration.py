"""How far two closed meshes overlap: volume counted on a grid, depth at the deepest vertex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.synthetic.mesh_queries import Array, MeshQueries
from im2hands_ros.synthetic.sample import Mesh


@dataclass(frozen=True)
class Penetration:
    """Shared volume in m³, depth of the deepest vertex in metres."""

    volume: float
    depth: float


def penetration(
    first: Mesh | MeshQueries, second: Mesh | MeshQueries, spacing: float = 0.001
) -> Penetration:
    """Overlap of two meshes; the grid covers what their boxes share, points `spacing` apart."""
    first, second = MeshQueries.of(first), MeshQueries.of(second)
    low, high = np.maximum(first.box[0], second.box[0]), np.minimum(first.box[1], second.box[1])
    if (low >= high).any():
        return Penetration(0.0, 0.0)
    axes = [np.arange(a + spacing / 2, b, spacing) for a, b in zip(low, high, strict=True)]
    shared = np.count_nonzero(inside_on_grid(first, axes) & inside_on_grid(second, axes))
    depth = max(_deepest_vertex(first, second), _deepest_vertex(second, first))
    return Penetration(shared * spacing**3, depth)


def inside_on_grid(mesh: MeshQueries, axes: list[Array]) -> NDArray[np.bool_]:
    """Which points of a grid lie inside, for ascending coordinates along x, y and z: (X, Y, Z).

    A closed surface is crossed by the grid's lines along z: triangles above a point that face up,
    less those that face down, are its winding number. A hundred times cheaper than one query for
    each point, which an open mesh needs.
    """
    if not mesh.is_watertight:
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        return mesh.contains(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    x, y, z = axes
    column, height, facing = _crossings(mesh, x, y)
    shape = len(x) * len(y), len(z) + 1
    place = column * shape[1] + np.searchsorted(z, height)
    steps = np.bincount(place, facing, shape[0] * shape[1]).reshape(shape)
    winding = steps[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    return (np.abs(winding) > 0.5).reshape(len(x), len(y), len(z))


def _crossings(mesh: MeshQueries, x: Array, y: Array) -> tuple[NDArray[np.integer], Array, Array]:
    """Where the lines along z through the points of x times y meet the mesh.

    Returns for each crossing: the line's number in (X, Y), z, and 1 where the triangle faces up,
    -1 where it faces down.
    """
    triangle, i, j = _lines_in_boxes(mesh, x, y)
    corner = mesh.triangles[triangle]
    sides = [_side_of_edge(mesh, corner[:, k], corner[:, k - 2], x[i], y[j]) for k in range(3)]
    lefts = np.sum([left for _, left in sides], axis=0)
    across = np.stack([area for area, _ in sides], 1)
    total = across.sum(1)
    hit = ((lefts == 3) | (lefts == 0)) & (total != 0)
    # The area across an edge weighs the corner that is not on it.
    heights = mesh.vertices[corner[hit][:, [2, 0, 1]], 2]
    z = (across[hit] * heights).sum(1) / total[hit]
    return (i * len(y) + j)[hit], z, np.where(lefts[hit] == 3, 1.0, -1.0)


def _lines_in_boxes(
    mesh: MeshQueries, x: Array, y: Array
) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]:
    """Pairs of a triangle and a line (i, j) that passes through its box."""
    corners = mesh.vertices[mesh.triangles]
    low, high = corners.min(1), corners.max(1)
    first_i, first_j = np.searchsorted(x, low[:, 0]), np.searchsorted(y, low[:, 1])
    count_i = np.searchsorted(x, high[:, 0], side="right") - first_i
    count_j = np.searchsorted(y, high[:, 1], side="right") - first_j
    count = count_i * count_j
    triangle = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(triangle)) - np.repeat(count.cumsum() - count, count)
    across, along = np.divmod(number, count_j[triangle])
    return triangle, first_i[triangle] + across, first_j[triangle] + along


def _side_of_edge(
    mesh: MeshQueries, start: NDArray[np.integer], end: NDArray[np.integer], x: Array, y: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Twice the signed area that points (x, y) span with edges, and whether they lie left of them.

    Computed from the edge's lower vertex to its higher, so that both triangles at an edge get the
    same number and no line slips through between them.
    """
    turned = start > end
    a = mesh.vertices[np.where(turned, end, start)]
    b = mesh.vertices[np.where(turned, start, end)]
    area = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])
    return np.where(turned, -area, area), (area >= 0) ^ turned


def _deepest_vertex(mesh: MeshQueries, other: MeshQueries) -> float:
    inside = mesh.vertices[other.contains(mesh.vertices)]
    return float(other.nearest(inside)[0].max()) if len(inside) else 0.0
