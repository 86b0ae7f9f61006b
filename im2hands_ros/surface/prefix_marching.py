"""Marching cubes by prefix sums: arrays of fixed size, nothing waits for a count.

The cells of all hands are numbered by a prefix sum, the lattice edges that the surface crosses by
another, the triangles by a third. `extract` does the rest on the host. Vertices are those of
scikit-image's marching cubes; a cell with crossed edges in a plane may be cut along the other
diagonal.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from im2hands_ros.kernels.gpu.points import compact
from im2hands_ros.surface.lattice import Lattice
from im2hands_ros.surface.marching_table import EDGE_AXES, EDGES, FACES, marching_table

# Vertices and triangles for which there is room, for each cell.
VERTICES_A_CELL, TRIANGLES_A_CELL = 1.25, 2.5


class Marched(NamedTuple):
    """Surfaces of H hands, hand after hand, in arrays of fixed size.

    Attributes:
        vertices: (V, 3) float32, lattice coordinates.
        triangles: (T, 3) int32 into the vertices of the own hand, counter-clockwise from outside.
        vertex_end, triangle_end: (H,) int64, where each hand's end; the first begins at 0.
        overflow: () bool, True when there was too little room.
    """

    vertices: Tensor
    triangles: Tensor
    vertex_end: Tensor
    triangle_end: Tensor
    overflow: Tensor


class _Edges(NamedTuple):
    """Lattice edges that the surface crosses, each with a vertex.

    marks (H · n³ + 1, 3) of the edges that begin at a point; first (H · n³ + 1,) number of a
    point's first vertex; vertices, end and overflow as in Marched.
    """

    first: Tensor
    marks: Tensor
    vertices: Tensor
    end: Tensor
    overflow: Tensor


class _Tables(NamedTuple):
    bit: Tensor  # (8,) of each corner
    face: Tensor  # (4, 6) corners
    edge_low: Tensor  # (12,) corner
    edge_high: Tensor
    edge_axis: Tensor  # (12,)
    row: Tensor
    triangles: Tensor
    counts: Tensor


@cache
def _tables(device: torch.device) -> _Tables:
    table = marching_table()
    tensors = (
        torch.tensor([1 << corner for corner in range(8)]),
        torch.tensor(FACES).T.contiguous(),
        torch.tensor([low for low, _ in EDGES]),
        torch.tensor([high for _, high in EDGES]),
        torch.tensor(EDGE_AXES),
        *map(torch.from_numpy, table),
    )
    return _Tables._make(tensor.to(device) for tensor in tensors)


class PrefixMarching:
    """Marching cubes over the cells of one lattice; not thread-safe. capacity: of cells."""

    def __init__(self, lattice: Lattice, capacity: int) -> None:
        self._lattice, self._capacity = lattice, capacity
        self._offsets = lattice.corner_offsets(1)
        self._strides = torch.tensor(lattice.strides, device=lattice.device)
        self._axes = torch.arange(3, device=lattice.device)
        self._tables = _tables(lattice.device)

    def __call__(self, values: Tensor, cells: Tensor) -> Marched:
        """The surfaces in the cells.

        values: (H · n³,) with the threshold subtracted and no zeros, positive inside.
        cells: (H, n³) bool by their low corner, without any on the high sides of the boxes.
        """
        slots = compact(cells, self._capacity, aligned=1)
        used = slots.element < cells.numel()
        corners = torch.where(used, slots.element, 0) + self._offsets[:, None]
        at_corners = values[corners]
        inside = at_corners > 0
        edges = self._edges(values, corners, inside & used)
        found = self._triangles(self._rows(at_corners, inside), used, corners, edges)
        triangles, end, full = found
        ends = _with_zero(end)[slots.end]
        overflow = slots.overflow | edges.overflow | full
        return Marched(edges.vertices, triangles, edges.end, ends, overflow)

    def _rows(self, values: Tensor, inside: Tensor) -> Tensor:
        """(K,) rows of the table, of corners' values (8, K)."""
        bit, face = self._tables.bit, self._tables.face
        a, b, c, d = values[face]  # each (6, K)
        joined = (a * c > b * d) == (a > 0)
        rows = (inside * bit[:, None]).sum(0) * 64 + (joined * bit[:6, None]).sum(0)
        return self._tables.row[rows]

    def _edges(self, values: Tensor, corners: Tensor, inside: Tensor) -> _Edges:
        """The lattice edges of cells' corners (8, K) that the surface crosses."""
        lattice, tables = self._lattice, self._tables
        points = lattice.hands * lattice.size
        crossed = inside[tables.edge_low] != inside[tables.edge_high]  # (12, K)
        marks = torch.zeros((points + 1, 3), dtype=torch.bool, device=values.device)
        low = corners[tables.edge_low].masked_fill(~crossed, points)
        marks.view(-1).index_fill_(0, (3 * low + tables.edge_axis[:, None]).flatten(), True)
        marks[points].fill_(False)
        slots = compact(marks[:points].any(1).view(lattice.hands, -1), self._capacity, aligned=1)
        crossed = marks[slots.element]  # (P, 3)
        count = crossed.sum(1)
        end = count.cumsum(0)
        first = torch.zeros(points + 1, dtype=torch.long, device=values.device)
        first[slots.element] = end - count
        room = int(VERTICES_A_CELL * self._capacity)
        place = (end - count)[:, None] + crossed.cumsum(1) - 1
        place = place.masked_fill(~crossed, room).clamp_max(room)
        vertices = torch.zeros((room + 1, 3), device=values.device)
        vertices[place] = self._places(values, slots.element)
        overflow = slots.overflow | (end[-1] > room)
        return _Edges(first, marks, vertices[:room], _with_zero(end)[slots.end], overflow)

    def _places(self, values: Tensor, points: Tensor) -> Tensor:
        """(P, 3, 3) where the surface crosses the edges that begin at points (P,)."""
        lattice = self._lattice
        points = points.clamp_max(len(values) - 1)
        value = values[points]
        beyond = values[(points[:, None] + self._strides).clamp_max(len(values) - 1)]
        share = value[:, None] / (value[:, None] - beyond)
        return lattice.coordinates(points).float()[:, None] + torch.diag_embed(share)

    def _triangles(
        self, row: Tensor, used: Tensor, corners: Tensor, edges: _Edges
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(T, 3) triangles of the cells, where those of each cell end, and whether too many."""
        tables, lattice = self._tables, self._lattice
        count = torch.where(used, tables.counts[row], 0)
        end = count.cumsum(0)
        edge = tables.triangles[row]  # (K, most, 3)
        cell = torch.arange(len(row), device=row.device)[:, None, None]
        low, axis = corners[tables.edge_low[edge], cell], tables.edge_axis[edge]
        before = (edges.marks[low] & (self._axes < axis[..., None])).sum(-1)
        own = (edges.end - edges.end.diff(prepend=edges.end.new_zeros(1)))[lattice.hand_of(low)]
        vertex = (edges.first[low] + before - own).to(torch.int32)
        room = int(TRIANGLES_A_CELL * self._capacity)
        place = torch.arange(vertex.shape[1], device=row.device).expand(vertex.shape[:2])
        place = place.masked_fill(place >= count[:, None], room) + (end - count)[:, None]
        triangles = torch.zeros((room + 1, 3), dtype=torch.int32, device=row.device)
        triangles[place.clamp_max(room)] = vertex
        return triangles[:room], end, end[-1] > room


def _with_zero(end: Tensor) -> Tensor:
    """Ends (K,) as the (K + 1,) sums over the first 0 to K."""
    return torch.cat([end.new_zeros(1), end])
