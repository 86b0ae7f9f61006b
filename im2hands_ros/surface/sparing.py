"""A search for fields that cost much per point: far corners of the last rounds are interpolated.

A surface only reads the values at both ends of the lattice edges that it crosses; of the other
corners around it the sign is enough. `SurfaceSearch` evaluates them all. Here the points that lie
far from the threshold by interpolation between the parent's corners are taken as interpolated, and
are evaluated after all when they turn out to be the end of a crossed edge, or when interpolation
was wrong elsewhere in the same parent. What is read is therefore always evaluated; a hand needs
about a third fewer evaluations.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from im2hands_ros.surface.search import SurfaceSearch

# A point is believed to be as interpolated when that is further from the threshold than this share
# of the range of its parent's values, and what was evaluated in the parent is nearer than that to
# what was interpolated there.
BELIEF = 0.25
# Rounds of this side of cells and finer are interpolated; coarser ones would believe too much.
COARSEST_STEP = 2


class SparingSearch(SurfaceSearch):
    """Finds the same surfaces; values at cells' corners that no crossed edge ends at are rough."""

    def _next_round(self, parents: Tensor, children: Tensor, step: int) -> Tensor:
        if step > COARSEST_STEP:
            return super()._next_round(parents, children, step)
        points = parents[:, None] + step * self._offsets_of_27()
        guess, margin = self._interpolated(parents, 2 * step)
        self._volumes.guess(points, guess, margin)
        cells = self._straddling(children, step)
        while True:
            doubted = torch.cat(
                [self._crossed_guesses(cells, step), self._wrong(points, guess, margin)]
            )
            doubted = torch.unique(doubted)
            if not doubted.numel():
                return cells
            before = self._volumes.inside(doubted)
            self._volumes.evaluate(doubted)
            changed = doubted[before != self._volumes.inside(doubted)]
            around = changed[:, None] - self.lattice.corner_offsets(step)
            cells = torch.unique(torch.cat([cells, around.flatten()]))
            self._volumes.list(cells, step)
            cells = self._straddling(cells, step)

    def _offsets_of_27(self) -> Tensor:
        """(27,) from a parent's low corner to the lattice points on and in it, x-major."""
        strides = self.lattice.strides
        places = itertools.product(range(3), repeat=3)
        offsets = [sum(a * b for a, b in zip(place, strides, strict=True)) for place in places]
        return torch.tensor(offsets, device=self.lattice.device)

    def _interpolated(self, parents: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """(K, 27) values between the parents' corners, and how far off they may be (K, 1)."""
        corners = self._volumes.values[parents[:, None] + self.lattice.corner_offsets(side)]
        grid = corners.view(-1, 2, 2, 2)
        for axis in (1, 2, 3):
            low, high = grid.select(axis, 0), grid.select(axis, 1)
            grid = torch.stack((low, (low + high) / 2, high), axis)
        return grid.flatten(1), BELIEF * (corners.amax(1) - corners.amin(1))[:, None]

    def _crossed_guesses(self, cells: Tensor, step: int) -> Tensor:
        """Interpolated points of cells at the ends of edges with a sign change."""
        corners = cells[:, None] + self.lattice.corner_offsets(step)
        inside = self._volumes.inside(corners).view(-1, 2, 2, 2)
        ends = torch.zeros_like(inside)
        for axis in (1, 2, 3):
            crossed = inside.select(axis, 0) != inside.select(axis, 1)
            ends |= crossed.unsqueeze(axis)
        return corners[ends.flatten(1) & self._volumes.is_guess(corners)]

    def _wrong(self, points: Tensor, guess: Tensor, margin: Tensor) -> Tensor:
        """Interpolated points of parents where another one was evaluated to something else."""
        believed = self._volumes.is_guess(points)
        off = (self._volumes.evaluated(points) - guess).abs() > margin
        return points[believed & off.any(1, keepdim=True)]
