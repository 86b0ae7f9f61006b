"""Coarse-to-fine search for the surface where an occupancy field crosses a threshold, all hands at once.

The dense lattice is never evaluated. Every round works on a list of cells of one side: their unknown corners are
evaluated in one padded batch, the cells whose corners straddle the threshold (min < t <= max) are kept, and those
are cut into eight for the next round. Two things make the result equal to the dense evaluation:

* continuation: when a kept cell's face carries a sign change, so does the cell on the other side of that face; where
  that cell is not in the list yet it is added, until nothing is missing. A surface that is connected to one found
  cell is therefore complete, even where a coarse cell stepped over a finger;
* the box's outermost lattice points are outside by definition, so the surface closes inside the box.

In the last, most expensive round only those children are listed whose corner values, interpolated from the parent,
come near the threshold; continuation adds the few that the interpolation missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from im2hands_ros.surface.lattice import (
    Lattice,
    coarsest_step,
    distance_to_segments,
    samples_on_segments,
)

Occupancy = Callable[[Tensor, Tensor], Tensor]
"""(H, N, 3) float32 points of the hands' boxes and (H, N) bool (False = padding) to (H, N) occupancy values."""

DEFAULT_CHUNK = 65536
# A child is left to continuation when its interpolated corners stay this share of the parent's value range away
# from the threshold. Measured on capsules: 0 costs two more continuation calls, 0.1 costs 15 % more evaluations.
PREDICTION_SLACK = 0.03


@dataclass(frozen=True)
class SurfaceCells:
    """What a search found: values around the surface and the fine cells it passes through.

    values: (H, n, n, n) float32, n = resolution + 1; exact at the corners of `cells`, elsewhere exact or a constant
        on the outside. The tensor belongs to the search object and is overwritten by its next call.
    cells: per hand (K,) int64 flat index (x·n + y)·n + z of the low corners of the fine cells that straddle.
    threshold: in the unit of `values`; inside means value >= threshold.
    evaluations: points evaluated per network call, both hands together, padding not counted.
    """

    values: Tensor
    cells: tuple[Tensor, ...]
    resolution: int
    threshold: float
    evaluations: tuple[int, ...]

    @property
    def evaluated(self) -> int:
        """Points evaluated in all calls."""
        return sum(self.evaluations)


class SurfaceSearch:
    """Searches boxes of a fixed size; keeps its volumes between calls and clears only what the last call touched.

    Not thread-safe: one search belongs to one worker.
    """

    def __init__(self, resolution: int, hands: int, device: torch.device | str = "cpu", chunk: int = DEFAULT_CHUNK):
        self.lattice = Lattice(resolution, hands, torch.device(device))
        self.chunk = chunk
        count = hands * self.lattice.size
        self._values = torch.zeros(count, device=device)
        self._known = torch.zeros(count, dtype=torch.bool, device=device)
        self._listed = torch.zeros(count, dtype=torch.int16, device=device)
        self._touched: list[Tensor] = []
        self._outside: float | None = None

    @torch.no_grad()
    def __call__(
        self, occupancy: Occupancy, threshold: float, segments: Tensor | None = None, reach: float = 0.1
    ) -> SurfaceCells:
        """Find the surface of every hand.

        occupancy: the field (see `Occupancy`); logits give the best interpolation. Called once or a few times per
            round, each time for both hands together.
        threshold: in the unit of the field (0 for logits at probability 0.5).
        segments: (H, S, 2, 3) bones in box coordinates, optional. In the first round only lattice points within
            `reach` (box units) of a bone are evaluated, and the cells that bones run through are always refined, so
            that nothing thin is missed. A hint only: what continuation finds further away is evaluated all the same.
        Raises ValueError when the field returns another shape than (H, N).
        """
        self._reset(threshold - 1.0)
        run = _Run(occupancy, threshold, [])
        step = coarsest_step(self.lattice.resolution)
        cells = self._first_cells(run, step, segments, reach)
        while step > 1:
            cells = self._children(run, cells, segments, step)
            step //= 2
            cells = self._straddling(run, cells, step)
        return self._result(run, cells)

    def _reset(self, outside: float) -> None:
        if outside != self._outside:
            self._values.fill_(outside)
            self._outside = outside
        for index in self._touched:
            self._values[index] = outside
            self._known[index] = False
            self._listed[index] = 0
        self._touched = []

    def _first_cells(self, run: _Run, step: int, segments: Tensor | None, reach: float) -> Tensor:
        """Straddling cells of the coarsest side."""
        cells = self._list(self.lattice.cells(step), step)
        if segments is None or step == 1:
            return self._straddling(run, cells, step)
        corners = cells[:, None] + self.lattice.corner_offsets(step)
        near = self._near_bones(segments, reach, step)
        self._evaluate(run, near.nonzero()[:, 0])
        # Corners out of reach count as outside here but stay unknown: the round that needs them evaluates them.
        inside = self._values[corners] >= run.threshold
        return cells[inside.any(1) & ~inside.all(1)]

    def _near_bones(self, segments: Tensor, reach: float, step: int) -> Tensor:
        lattice = self.lattice
        axis = torch.arange(0, lattice.side, step, device=lattice.device)
        grid = torch.cartesian_prod(axis, axis, axis)
        near = torch.zeros(lattice.hands * lattice.size, dtype=torch.bool, device=lattice.device)
        for hand in range(lattice.hands):
            distance = distance_to_segments(grid / lattice.resolution, segments[hand])
            near[lattice.index(torch.full_like(grid[:, 0], hand), grid)] = distance <= reach
        return near

    def _cells_on_bones(self, run: _Run, segments: Tensor, step: int) -> Tensor:
        """Cells that a bone runs through with every corner outside: a finger may have slipped between the points."""
        lattice = self.lattice
        points = samples_on_segments(segments, step / lattice.resolution)
        low = (points * (lattice.resolution / step)).floor().long() * step
        hand = torch.arange(lattice.hands, device=lattice.device)[:, None].expand(low.shape[:2])
        in_box = ((low >= 0) & (low < lattice.resolution)).all(-1)
        cells = torch.unique(lattice.index(hand[in_box], low[in_box]))
        corners = self._values[cells[:, None] + lattice.corner_offsets(step)]
        return cells[(corners < run.threshold).all(1)]

    def _list(self, cells: Tensor, step: int) -> Tensor:
        """Mark cells (no duplicates among them) as listed in the round of `step`; return those that were not yet."""
        fresh = cells[self._listed[cells] != step]
        self._listed[fresh] = step
        return fresh

    def _straddling(self, run: _Run, cells: Tensor, step: int) -> Tensor:
        """Evaluate the corners of listed cells; return the straddling ones, continued over faces to the full set."""
        offsets = self.lattice.corner_offsets(step)
        found = []
        while cells.numel():
            self._evaluate_corners(run, cells, offsets)
            inside = self._values[cells[:, None] + offsets] >= run.threshold
            mixed = inside.any(1) & ~inside.all(1)
            cells, inside = cells[mixed], inside[mixed]
            found.append(cells)
            cells = self._beyond_faces(cells, inside, step)
        return torch.cat(found) if found else cells

    def _beyond_faces(self, cells: Tensor, inside: Tensor, step: int) -> Tensor:
        """Unlisted cells on the other side of the faces that carry a sign change.

        Such a face never lies on the box's border, where all points are outside, so the neighbour always exists.
        """
        fresh = []
        for axis, stride in enumerate(self.lattice.strides):
            on_axis = inside.view(-1, 2, 2, 2).movedim(axis + 1, 1).flatten(2)
            for side, direction in ((0, -1), (1, 1)):
                face = on_axis[:, side]
                crossed = face.any(1) & ~face.all(1)
                fresh.append(self._list(cells[crossed] + direction * step * stride, step))
        return torch.cat(fresh)

    def _children(self, run: _Run, cells: Tensor, segments: Tensor | None, step: int) -> Tensor:
        """The cells of half the side in straddling cells and in cells on bones, listed for the next round."""
        half = self.lattice.corner_offsets(step // 2)
        children = cells[:, None] + half
        if step == 2:
            corners = self._values[cells[:, None] + self.lattice.corner_offsets(step)]
            children = children[_children_near(corners, run.threshold)]
        if segments is not None:
            bones = self._cells_on_bones(run, segments, step)
            children = torch.cat((children.flatten(), (bones[:, None] + half).flatten()))
            children = torch.unique(children)
        return self._list(children.flatten(), step // 2)

    def _evaluate_corners(self, run: _Run, cells: Tensor, offsets: Tensor) -> None:
        """Evaluate the corners of `cells` that are not known yet, each once.

        Corner by corner, because one corner number never names the same point twice: no sort is needed.
        """
        fresh = torch.empty((8, len(cells)), dtype=torch.bool, device=cells.device)
        for number, offset in enumerate(offsets):
            index = cells + offset
            fresh[number] = ~self._known[index]
            self._known[index] = True
        self._evaluate(run, (cells + offsets[:, None])[fresh])

    def _evaluate(self, run: _Run, index: Tensor) -> None:
        """Evaluate lattice points (N,), each once, as padded batches of both hands, and store their values."""
        lattice = self.lattice
        if not index.numel():
            return
        self._known[index] = True
        self._touched.append(index)
        hand = lattice.hand_of(index)
        member = hand == torch.arange(lattice.hands, device=lattice.device)[:, None]
        counts = member.sum(1).tolist()
        run.evaluations.append(sum(counts))
        rank = (member.cumsum(1) - 1).gather(0, hand[None])[0]
        points = torch.zeros((lattice.hands, max(counts), 3), device=lattice.device)
        points[hand, rank] = lattice.points(index)
        valid = torch.arange(max(counts), device=lattice.device) < member.sum(1, keepdim=True)
        values = self._in_chunks(run.occupancy, points, valid)[hand, rank]
        # The outermost lattice points are outside by definition: the surface closes inside the box.
        self._values[index] = values.masked_fill_(lattice.on_border(index), self._outside)

    def _in_chunks(self, occupancy: Occupancy, points: Tensor, valid: Tensor) -> Tensor:
        parts = []
        for part, mask in zip(points.split(self.chunk, 1), valid.split(self.chunk, 1), strict=True):
            values = occupancy(part, mask)
            if values.shape != mask.shape:
                raise ValueError(f"the field returned shape {tuple(values.shape)} for points {tuple(part.shape)}")
            parts.append(values.float())
        return torch.cat(parts, 1)

    def _result(self, run: _Run, cells: Tensor) -> SurfaceCells:
        lattice = self.lattice
        hand = lattice.hand_of(cells)
        per_hand = tuple((cells[hand == h] - h * lattice.size).sort().values for h in range(lattice.hands))
        volumes = self._values.view((lattice.hands,) + (lattice.side,) * 3)
        return SurfaceCells(volumes, per_hand, lattice.resolution, run.threshold, tuple(run.evaluations))


@dataclass(frozen=True)
class _Run:
    occupancy: Occupancy
    threshold: float
    evaluations: list[int]


def _children_near(corners: Tensor, threshold: float) -> Tensor:
    """(K, 8) corner values of cells to (K, 8) bool: may this child straddle, going by trilinear interpolation?"""
    grid = corners.view(-1, 2, 2, 2)
    for axis in (1, 2, 3):
        low, high = grid.select(axis, 0), grid.select(axis, 1)
        grid = torch.stack((low, (low + high) / 2, high), axis)
    lowest, highest = grid, grid
    for axis in (1, 2, 3):
        lowest = torch.minimum(lowest.narrow(axis, 0, 2), lowest.narrow(axis, 1, 2))
        highest = torch.maximum(highest.narrow(axis, 0, 2), highest.narrow(axis, 1, 2))
    slack = PREDICTION_SLACK * (corners.amax(1) - corners.amin(1))[:, None]
    return (lowest.flatten(1) < threshold + slack) & (highest.flatten(1) >= threshold - slack)


def search(
    occupancy: Occupancy,
    resolution: int,
    threshold: float,
    hands: int = 2,
    device: torch.device | str = "cpu",
    segments: Tensor | None = None,
    reach: float = 0.1,
) -> SurfaceCells:
    """One search with buffers of its own; see `SurfaceSearch`, which a caller with many frames keeps instead."""
    return SurfaceSearch(resolution, hands, device)(occupancy, threshold, segments, reach)


@torch.no_grad()
def search_densely(
    occupancy: Occupancy, resolution: int, threshold: float, hands: int = 2, device: torch.device | str = "cpu"
) -> SurfaceCells:
    """The same result from every lattice point: the naive order of work, for tests and for the benchmark's ratio."""
    whole = SurfaceSearch(resolution, hands, device)
    whole._reset(threshold - 1.0)
    run = _Run(occupancy, threshold, [])
    whole._evaluate(run, torch.arange(hands * whole.lattice.size, device=device))
    cells = whole._straddling(run, whole._list(whole.lattice.cells(1), 1), 1)
    return whole._result(run, cells)
