"""The search for fields that cost much per point: far corners of the last rounds are interpolated.

A surface only depends on the values at both ends of the lattice edges that it crosses; of the other
corners around it the sign is enough. `SurfaceSearch` evaluates them all. Here the points that lie
far from the threshold by interpolation between the parent's corners keep the interpolated value.
They are re-evaluated when they are, or turn out to be, the end of a crossed edge, or when
interpolation was inaccurate elsewhere in the same parent. What a surface depends on is therefore
always evaluated; a hand needs about a third fewer evaluations.
"""

from __future__ import annotations

import itertools
from typing import TypeVar

import torch
from torch import Tensor

from im2hands_ros.kernels.gpu.field import DeviceField
from im2hands_ros.kernels.library import Library
from im2hands_ros.surface.chunking import chunks_of
from im2hands_ros.surface.device_search import DeviceSearch
from im2hands_ros.surface.lattice import interpolated
from im2hands_ros.surface.native_search import NativeSearch
from im2hands_ros.surface.search import SurfaceSearch

# A point keeps its interpolated value when that is further from the threshold than this share of
# the range of its parent's values, and what was evaluated in the parent is nearer than that to what
# was interpolated there.
MARGIN = 0.25
# Rounds with fewer cells a side are not interpolated: fingers would be as thin as their cells.
FEWEST_CELLS = 64
# Evaluations of a round after which interpolated values are compared with evaluated ones.
CHECKS = 2
# Resolutions whose volumes (3 MB a pair of hands) are not worth freeing.
_SMALL = range(65)

_S = TypeVar("_S", SurfaceSearch, NativeSearch, DeviceSearch)


class PrunedSearch(SurfaceSearch):
    """Finds the same surfaces; values at cells' corners that no crossed edge ends at are rough."""

    def _next_round(self, parents: Tensor, children: Tensor, step: int) -> Tensor:
        if self.lattice.resolution < FEWEST_CELLS * step:
            return super()._next_round(parents, children, step)
        volumes = self._volumes
        points = parents + step * self._offsets_of_27()[:, None]
        values, margin = self._interpolated(parents, 2 * step)
        far = (values - volumes.threshold).abs() > margin
        on_surface = _ends_of_crossed_edges(values.view(3, 3, 3, -1) >= volumes.threshold)
        volumes.interpolate(points, values, far & ~on_surface.flatten(0, 2))
        found, fresh, again, checks = children[:0], children, children[:0], CHECKS
        while fresh.numel() or again.numel():
            changed = self._evaluate(fresh, again, step)
            straddling, fresh, again = self._classify(fresh, step)
            found = torch.cat([found, straddling])
            if changed.numel():
                # The cells around them are classified anew.
                fresh, found = torch.unique(torch.cat([found, fresh, changed])), found[:0]
                volumes.list(fresh, step)
            if checks:
                again = torch.cat([again, self._inaccurate(points, values, margin)])
                checks -= 1
            again = torch.unique(again)
        return found

    def _evaluate(self, cells: Tensor, again: Tensor, step: int) -> Tensor:
        """Evaluate cells' unknown corners and, again, interpolated points; return the cells around
        those that were interpolated to the wrong side of the threshold."""
        volumes = self._volumes
        before = volumes.inside(again)
        unknown = volumes.unknown(self.lattice.corners(cells, step))
        volumes.evaluate(torch.cat([unknown, again]))
        changed = again[before != volumes.inside(again)]
        return (changed - self.lattice.corner_offsets(step)[:, None]).flatten()

    def _classify(self, cells: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Those that straddle, unlisted cells beyond their crossed faces, and interpolated points
        that the surface in them depends on."""
        corners = self.lattice.corners(cells, step)
        inside = self._volumes.inside(corners)
        mixed = inside.any(0) & ~inside.all(0)
        cells, corners, inside = cells[mixed], corners[:, mixed], inside[:, mixed]
        ends = corners[_ends_of_crossed_edges(inside.view(2, 2, 2, -1)).flatten(0, 2)]
        again = ends[self._volumes.is_interpolated(ends)]
        return cells, self._beyond_faces(cells, inside, step), again

    def _offsets_of_27(self) -> Tensor:
        """(27,) from a parent's low corner to the lattice points on and in it, x-major."""
        strides = self.lattice.strides
        places = itertools.product(range(3), repeat=3)
        offsets = [sum(a * b for a, b in zip(place, strides, strict=True)) for place in places]
        return torch.tensor(offsets, device=self.lattice.device)

    def _interpolated(self, parents: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """(27, K) values between the parents' corners, and how far off they may be (K,)."""
        corners = self._volumes.values[self.lattice.corners(parents, side)]
        margin = MARGIN * (corners.amax(0) - corners.amin(0))
        return interpolated(corners).flatten(0, 2), margin

    def _inaccurate(self, points: Tensor, values: Tensor, margin: Tensor) -> Tensor:
        """Interpolated points of parents where another one was evaluated to something else."""
        off = (self._volumes.values[points] - values).abs() > margin
        off &= self._volumes.is_evaluated(points)
        points = points[:, off.any(0)]
        return points[self._volumes.is_interpolated(points)]


class SearchCache:
    """The searches of one model, whose volumes are kept: clearing what was touched is cheaper than
    new memory. Of large lattices only those of the last resolution are kept."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._searches: dict[tuple[int, int], SurfaceSearch] = {}
        self._native: dict[tuple[int, int], NativeSearch] = {}
        self._device_searches: dict[tuple[int, int], DeviceSearch] = {}

    def get(self, resolution: int, hands: int) -> SurfaceSearch:
        """The search in boxes of this resolution; ValueError for one out of range."""
        kept = self._searches = _still_wanted(self._searches, resolution)
        if (resolution, hands) not in kept:
            chunk = chunks_of(self._device)
            kept[resolution, hands] = PrunedSearch(resolution, hands, self._device, chunk)
        return kept[resolution, hands]

    def native(self, library: Library, resolution: int, hands: int) -> NativeSearch:
        """The same for fields that the library evaluates."""
        kept = self._native = _still_wanted(self._native, resolution)
        if (resolution, hands) not in kept:
            kept[resolution, hands] = NativeSearch(library, resolution, hands)
        return kept[resolution, hands]

    def on_device(self, field: DeviceField, resolution: int, hands: int) -> DeviceSearch:
        """The same for fields that are evaluated without waiting; see `DeviceSearch.covers`."""
        kept = self._device_searches = _still_wanted(self._device_searches, resolution)
        if (resolution, hands) not in kept:
            kept[resolution, hands] = DeviceSearch(resolution, hands, field.evaluator, self._device)
        return kept[resolution, hands]


def _still_wanted(
    searches: dict[tuple[int, int], _S], resolution: int
) -> dict[tuple[int, int], _S]:
    return {key: it for key, it in searches.items() if key[0] in (resolution, *_SMALL)}


def _ends_of_crossed_edges(inside: Tensor) -> Tensor:
    """(n, n, n, K) bool, of lattice points: does a sign change along an axis end here?"""
    ends = torch.zeros_like(inside)
    for axis in range(3):
        shorter = inside.shape[axis] - 1
        crossed = inside.narrow(axis, 0, shorter) != inside.narrow(axis, 1, shorter)
        for first in (0, 1):
            ends.narrow(axis, first, shorter).logical_or_(crossed)
    return ends
