"""The lattice both hands are searched on: flat indices, corner offsets, points of a box.

A hand's box is the cube [0, 1]^3 with `resolution` cells and `resolution + 1` lattice points per
side. A lattice point of hand h is one flat index ((h·n + x)·n + y)·n + z with n = resolution + 1;
a cell is named by the flat index of its low corner, whatever its side, so one table of offsets per
step serves every hand and level.
"""

from __future__ import annotations

import itertools
import math
import operator
from dataclasses import dataclass

import torch
from torch import Tensor

MIN_RESOLUTION, MAX_RESOLUTION = 16, 512
COARSEST_BASE = 16


@dataclass(frozen=True)
class Lattice:
    """Index arithmetic for `hands` boxes of `resolution` cells per side."""

    resolution: int
    hands: int
    device: torch.device

    def __post_init__(self) -> None:
        try:
            operator.index(self.resolution)
        except TypeError as error:
            text = f"resolution is {self.resolution!r}: give a whole number of cells"
            raise ValueError(text) from error
        if not MIN_RESOLUTION <= self.resolution <= MAX_RESOLUTION:
            raise ValueError(
                f"resolution {self.resolution} is outside {MIN_RESOLUTION}..{MAX_RESOLUTION} "
                "cells per box side; use 64 for display, 128 for data"
            )

    @property
    def side(self) -> int:
        """Lattice points per box side."""
        return self.resolution + 1

    @property
    def size(self) -> int:
        """Lattice points per hand."""
        return self.side**3

    @property
    def strides(self) -> tuple[int, int, int]:
        return self.side**2, self.side, 1

    def corner_offsets(self, step: int) -> Tensor:
        """(8,) int64: a cell's low corner to its corners; corner number = 4·dx + 2·dy + dz."""
        corners = itertools.product((0, step), repeat=3)
        offsets = [sum(map(operator.mul, corner, self.strides)) for corner in corners]
        return torch.tensor(offsets, device=self.device)

    def corners(self, cells: Tensor, step: int) -> Tensor:
        """(8, K) flat indices of the corners of (K,) cells of side `step`."""
        return cells + self.corner_offsets(step)[:, None]

    def hand_of(self, index: Tensor) -> Tensor:
        return index // self.size

    def coordinates(self, index: Tensor) -> Tensor:
        """(N,) flat indices to (N, 3) int64 lattice coordinates."""
        within = index % self.size
        x, y, _ = self.strides
        return torch.stack((within // x, within % x // y, within % y), -1)

    def points(self, index: Tensor) -> Tensor:
        """(N,) flat indices to (N, 3) float32 points of the box."""
        return self.coordinates(index).float() / self.resolution

    def index(self, hand: Tensor, coordinates: Tensor) -> Tensor:
        """Hands (N,) and lattice coordinates (N, 3) to flat indices (N,)."""
        strides = torch.tensor(self.strides, device=self.device)
        return hand * self.size + (coordinates * strides).sum(-1)

    def cells(self, step: int) -> Tensor:
        """(hands · (resolution / step)^3,) int64: every cell of side `step`."""
        axis = torch.arange(0, self.resolution, step, device=self.device)
        x, y, _ = self.strides
        one = (axis[:, None, None] * x + axis[:, None] * y + axis).reshape(-1)
        hand = torch.arange(self.hands, device=self.device)[:, None]
        return (hand * self.size + one).reshape(-1)

    def every_point(self) -> Tensor:
        """(hands · size,) int64: every lattice point of every hand."""
        return torch.arange(self.hands * self.size, device=self.device)


def coarsest_step(resolution: int) -> int:
    """Side, in fine cells, of the cells that the search starts with.

    The largest power of two that leaves at least 16 per box side: 32, 64, 128 and 256 start from
    16 cells per side; 48, 96 and 192 from 24; 80 from 20; an odd resolution from itself.
    """
    step = 1
    while resolution % (2 * step) == 0 and resolution // (2 * step) >= COARSEST_BASE:
        step *= 2
    return step


def interpolated(corners: Tensor) -> Tensor:
    """(8, K) values at the corners of cells to (3, 3, 3, K) at and between them."""
    grid = corners.view(2, 2, 2, -1)
    for axis in range(3):
        low, high = grid.select(axis, 0), grid.select(axis, 1)
        grid = torch.stack((low, (low + high) / 2, high), axis)
    return grid


def distance_to_segments(points: Tensor, segments: Tensor) -> Tensor:
    """Distance of every point to the nearest segment.

    points (N, 3) and segments (S, 2, 3) in one frame; returns (N,) in the same unit. A segment
    may be a point. Squares are expanded into products of matrices (three times fewer bytes), so a
    distance below 1e-3 of the coordinates' size is not exact.
    """
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    length2 = (along * along).sum(-1)
    reached = points @ along.T - (start * along).sum(-1)
    share = (reached / length2.clamp_min(1e-20)).clamp_(0, 1)
    to_start2 = (points * points).sum(-1, keepdim=True) - 2 * points @ start.T
    to_start2 += (start * start).sum(-1)
    return (to_start2 + share * (share * length2 - 2 * reached)).amin(-1).clamp_min_(0).sqrt_()


def samples_on_segments(segments: Tensor, spacing: float, longest: float = math.sqrt(3)) -> Tensor:
    """Points no further than `spacing` apart on segments (H, S, 2, 3): (H, M, 3)."""
    count = max(2, math.ceil(longest / spacing) + 1)
    share = torch.linspace(0, 1, count, device=segments.device)[:, None]
    start, end = segments[:, :, None, 0], segments[:, :, None, 1]
    return (start + share * (end - start)).flatten(1, 2)
