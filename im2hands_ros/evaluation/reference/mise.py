"""The published surface search: one hand's box refined from its corners inwards, in a fixed order.

Multiresolution isosurface extraction (Occupancy Networks, CVPR 2019, section 3.3) as Im2Hands uses
it. `surface/search.py` finds the same surfaces with fewer evaluations and without the dense grid;
this one evaluates the same points in the same order as the published code, on which published
networks with their depth origin at the first query depend.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from im2hands_ros.surface.extract import Triangles

BoxField = Callable[[NDArray[np.float64]], NDArray[np.floating]]
"""(N, 3) points of the box [0, 1]^3 to (N,) values; called once per round, never in parts."""

COARSE, DEPTH = 32, 3
_OUTSIDE = -1e6
_CHILDREN = np.array(list(itertools.product((0, 1), repeat=3)))
_POINTS = np.array(list(itertools.product((0, 1, 2), repeat=3)))


@dataclass(frozen=True)
class DenseGrid:
    """Values (n, n, n) float64 at all lattice points of the box, n = resolution + 1.

    Points that were never evaluated have the value of an evaluated one before them. counts: points
    evaluated per round.
    """

    values: NDArray[np.float64]
    threshold: float
    counts: tuple[int, ...]

    def surface(self) -> Triangles | None:
        """Triangles in box coordinates, counter-clockwise from outside; None where none are."""
        inside = np.argwhere(self.values > self.threshold)
        if not len(inside):
            return None
        low, high = inside.min(0), inside.max(0) + 1
        within = np.pad(self.values, 1, constant_values=_OUTSIDE)
        block = within[tuple(slice(a, b + 2) for a, b in zip(low, high, strict=True))]
        vertices, triangles, _, _ = marching_cubes(
            block, self.threshold, gradient_direction="ascent"
        )
        vertices = (vertices + low - 1) / (len(self.values) - 1)
        return Triangles(vertices.astype(np.float32), triangles.astype(np.int32))


def published_search(
    field: BoxField, threshold: float, coarse: int = COARSE, depth: int = DEPTH
) -> DenseGrid:
    """Values around the surface of a field, refined ``depth`` times from ``coarse`` cells a side.

    A cell is refined while points on or in it lie on both sides of the threshold.
    """
    search = search_rounds(threshold, coarse, depth)
    points = next(search)
    while True:
        try:
            points = search.send(field(points))
        except StopIteration as found:
            return found.value


def search_rounds(
    threshold: float, coarse: int = COARSE, depth: int = DEPTH
) -> Generator[NDArray[np.float64], NDArray[np.floating], DenseGrid]:
    """The same as a generator of each round's points that is sent their values.

    So the searches of several hands can advance together, as the published code does.
    """
    tree = _Octree(coarse, depth)
    queries = tree.corners()
    counts = []
    while len(queries):
        counts.append(len(queries))
        values = yield queries / tree.resolution
        tree.learn(queries, np.asarray(values, np.float64), threshold)
        queries = tree.split()
    return DenseGrid(tree.dense(), threshold, tuple(counts))


class _Octree:
    """Leaves in order of creation, and what is known at the lattice points."""

    def __init__(self, coarse: int, depth: int) -> None:
        self.depth, self.resolution = depth, coarse << depth
        side = self.resolution + 1
        self._values = np.zeros((side,) * 3)
        self._known = np.zeros((side,) * 3, bool)
        cells = [(coarse << level,) * 3 for level in range(depth)]
        self._above = [np.zeros(count, bool) for count in cells]
        self._below = [np.zeros(count, bool) for count in cells]
        # Leaves that can be split: cell coordinates in units of their side, and level.
        self._cell = np.argwhere(np.ones((coarse,) * 3, bool))
        self._level = np.zeros(len(self._cell), np.int64)

    def corners(self) -> NDArray[np.int64]:
        """(N, 3) lattice points of the first round."""
        count = self.resolution // self._side(0) + 1
        return np.argwhere(np.ones((count,) * 3, bool)) * self._side(0)

    def learn(
        self, points: NDArray[np.int64], values: NDArray[np.float64], threshold: float
    ) -> None:
        """Store values (N,) of lattice points (N, 3) and mark the cells that they lie on or in."""
        self._values[tuple(points.T)] = values
        self._known[tuple(points.T)] = True
        for level in range(self.depth):
            side = self._side(level)
            last = self.resolution // side - 1
            for corner in _CHILDREN:
                cell = np.clip((points - corner) // side, 0, last)
                self._above[level][tuple(cell[values >= threshold].T)] = True
                self._below[level][tuple(cell[values <= threshold].T)] = True

    def split(self) -> NDArray[np.int64]:
        """Split the leaves that straddle; return their points that are not known, in order."""
        straddling = np.zeros(len(self._cell), bool)
        for level in range(self.depth):
            of_level = np.flatnonzero(self._level == level)
            where = tuple(self._cell[of_level].T)
            straddling[of_level] = self._above[level][where] & self._below[level][where]
        parent, parent_level = self._cell[straddling], self._level[straddling]
        children = (2 * parent[:, None] + _CHILDREN).reshape(-1, 3)
        child_level = np.repeat(parent_level + 1, len(_CHILDREN))
        can_split = child_level < self.depth
        self._cell = np.concatenate([self._cell[~straddling], children[can_split]])
        self._level = np.concatenate([self._level[~straddling], child_level[can_split]])
        half = (self._side(0) >> parent_level) // 2
        points = (half[:, None, None] * (2 * parent[:, None] + _POINTS)).reshape(-1, 3)
        return self._unknown(points)

    def _unknown(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """The points that are not known yet, each where it comes first."""
        points = points[~self._known[tuple(points.T)]]
        flat = np.ravel_multi_index(tuple(points.T), self._known.shape)
        first = np.sort(np.unique(flat, return_index=True)[1])
        return points[first]

    def dense(self) -> NDArray[np.float64]:
        """All values; unknown ones are copied from the point before along x, then y, then z."""
        values, known = self._values.copy(), self._known.copy()
        number = np.arange(len(values), dtype=np.int16)
        for axis in range(3):
            along = np.expand_dims(number, tuple(other for other in range(3) if other != axis))
            source = np.maximum.accumulate(np.where(known, along, np.int16(-1)), axis=axis)
            known = source >= 0
            taken = np.take_along_axis(values, np.maximum(source, 0).astype(np.int64), axis=axis)
            values = np.where(known, taken, values)
        return values

    def _side(self, level: int) -> int:
        return 1 << (self.depth - level)
