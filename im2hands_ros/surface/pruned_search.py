"""The search for fields that cost much per point: far corners of the last rounds are interpolated.

A surface only reads the values at both ends of the lattice edges that it crosses; of the other
corners around it the sign is enough. `SurfaceSearch` evaluates them all. Here the points that lie
far from the threshold by interpolation between the parent's corners are taken as interpolated.
They are evaluated after all when they are, or turn out to be, the end of a crossed edge, or when
interpolation was wrong elsewhere in the same parent. What is read is therefore always evaluated; a
hand needs about a third fewer evaluations.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from im2hands_ros.surface.lattice import interpolated
from im2hands_ros.surface.search import SurfaceSearch

# A point is believed to be as interpolated when that is further from the threshold than this share
# of the range of its parent's values, and what was evaluated in the parent is nearer than that to
# what was interpolated there.
BELIEF = 0.25
# Rounds with fewer cells a side are not interpolated: fingers would be as thin as their cells.
FEWEST_CELLS = 64
# Evaluations of a round after which interpolation is held against what was evaluated.
CHECKS = 2


class SparingSearch(SurfaceSearch):
    """Finds the same surfaces; values at cells' corners that no crossed edge ends at are rough."""

    def _next_round(self, parents: Tensor, children: Tensor, step: int) -> Tensor:
        if self.lattice.resolution < FEWEST_CELLS * step:
            return super()._next_round(parents, children, step)
        volumes = self._volumes
        points = parents + step * self._offsets_of_27()[:, None]
        guess, margin = self._interpolated(parents, 2 * step)
        far = (guess - volumes.threshold).abs() > margin
        read = _ends_of_crossed_edges(guess.view(3, 3, 3, -1) >= volumes.threshold)
        volumes.guess(points, guess, far & ~read.flatten(0, 2))
        found, fresh, doubted, checks = children[:0], children, children[:0], CHECKS
        while fresh.numel() or doubted.numel():
            changed = self._evaluate(fresh, doubted, step)
            straddling, fresh, doubted = self._look_at(fresh, step)
            found = torch.cat([found, straddling])
            if changed.numel():
                # The cells around them are looked at anew.
                fresh, found = torch.unique(torch.cat([found, fresh, changed])), found[:0]
                volumes.list(fresh, step)
            if checks:
                doubted = torch.cat([doubted, self._wrong(points, guess, margin)])
                checks -= 1
            doubted = torch.unique(doubted)
        return found

    def _evaluate(self, cells: Tensor, doubted: Tensor, step: int) -> Tensor:
        """Evaluate cells' unknown corners and doubted guesses at once; return the cells around
        those of the guesses that had been on the wrong side."""
        volumes = self._volumes
        before = volumes.inside(doubted)
        unknown = volumes.unknown(self.lattice.corners(cells, step))
        volumes.evaluate(torch.cat([unknown, doubted]))
        changed = doubted[before != volumes.inside(doubted)]
        return (changed - self.lattice.corner_offsets(step)[:, None]).flatten()

    def _look_at(self, cells: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Those that straddle, unlisted cells beyond their crossed faces, and guesses that the
        surface in them reads."""
        corners = self.lattice.corners(cells, step)
        inside = self._volumes.inside(corners)
        mixed = inside.any(0) & ~inside.all(0)
        cells, corners, inside = cells[mixed], corners[:, mixed], inside[:, mixed]
        read = corners[_ends_of_crossed_edges(inside.view(2, 2, 2, -1)).flatten(0, 2)]
        doubted = read[self._volumes.is_guess(read)]
        return cells, self._beyond_faces(cells, inside, step), doubted

    def _offsets_of_27(self) -> Tensor:
        """(27,) from a parent's low corner to the lattice points on and in it, x-major."""
        strides = self.lattice.strides
        places = itertools.product(range(3), repeat=3)
        offsets = [sum(a * b for a, b in zip(place, strides, strict=True)) for place in places]
        return torch.tensor(offsets, device=self.lattice.device)

    def _interpolated(self, parents: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """(27, K) values between the parents' corners, and how far off they may be (K,)."""
        corners = self._volumes.values[self.lattice.corners(parents, side)]
        margin = BELIEF * (corners.amax(0) - corners.amin(0))
        return interpolated(corners).flatten(0, 2), margin

    def _wrong(self, points: Tensor, guess: Tensor, margin: Tensor) -> Tensor:
        """Interpolated points of parents where another one was evaluated to something else."""
        off = (self._volumes.values[points] - guess).abs() > margin
        off &= self._volumes.is_evaluated(points)
        points = points[:, off.any(0)]
        return points[self._volumes.is_guess(points)]


def _ends_of_crossed_edges(inside: Tensor) -> Tensor:
    """(n, n, n, K) bool, of lattice points: does a sign change along an axis end here?"""
    ends = torch.zeros_like(inside)
    for axis in range(3):
        shorter = inside.shape[axis] - 1
        crossed = inside.narrow(axis, 0, shorter) != inside.narrow(axis, 1, shorter)
        for first in (0, 1):
            ends.narrow(axis, first, shorter).logical_or_(crossed)
    return ends
