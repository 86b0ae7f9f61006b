"""The surface search with lists of fixed size: nothing waits for a count, so a GPU runs through.

Where `PrunedSearch` follows the surface from cell to cell until nothing is missing, this lists one
ring of cells more than it needs and follows the surface once. Whether anything was left out, or a
list was too short, is one flag that comes back with the surface; the caller then takes the other
search. All of it works on masks of whole lattices, which cost a GPU nothing beside the field.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.kernels.gpu.points import TILE, PointList, compact
from im2hands_ros.surface.cell_masks import (
    any_inside,
    at_corners,
    beyond_faces,
    corners_of,
    finer,
    ringed,
    straddling,
)
from im2hands_ros.surface.lattice import (
    Lattice,
    coarsest_step,
    distance_to_segments,
    interpolated,
    samples_on_segments,
)
from im2hands_ros.surface.volumes import LARGEST

# Points of a round for which there is room, for each hand, times the square of the cells a side. In
# the first round there is room for all.
POINTS_A_SQUARE = 8
# A child is listed when its interpolated corners come this near to the threshold, as a share of the
# parent's range of values.
SLACK = 0.03


class ListField(Protocol):
    """Logits (C,) of a list of points of all hands; of unused ones any."""

    def __call__(self, points: PointList) -> Tensor: ...


class Place(NamedTuple):
    """Where H hands are searched.

    Attributes:
        origin: (H, 3) and
        side: (H,) of the boxes, palm frame, metres.
        segments: (H, S, 2, 3) bones in box coordinates.
        reach: () distance from the bones of the first round's points, box units.
        threshold: () logit at the surface.
    """

    origin: Tensor
    side: Tensor
    segments: Tensor
    reach: Tensor
    threshold: Tensor


class FixedCells(NamedTuple):
    """What a search found.

    Attributes:
        values: (H, n, n, n) float32, n = resolution + 1, the threshold subtracted; exact at the
            corners of `cells`.
        cells: (H, n, n, n) bool by their low corner: the surface passes through.
        overflow: () bool, True when the surface may be incomplete.
        evaluations: (rounds,) int64 points evaluated.
    """

    values: Tensor
    cells: Tensor
    overflow: Tensor
    evaluations: Tensor


class FixedSearch:
    """Searches boxes of one resolution. ValueError for a resolution that has no coarse cells."""

    def __init__(self, resolution: int, hands: int, device: torch.device) -> None:
        self.lattice = Lattice(resolution, hands, device)
        self._coarsest = coarsest_step(resolution)
        if self._coarsest == 1:
            raise ValueError(f"resolution {resolution} has no coarse cells: search it all at once")

    def __call__(self, field: ListField, place: Place) -> FixedCells:
        """Find the surfaces of all hands."""
        run = _Run(self.lattice, field, place)
        step = self._coarsest
        cells = run.first_round(step)
        while step > 1:
            step //= 2
            cells = run.next_round(cells, step)
        return run.result(cells)


class _Run:
    """One search: what is known so far."""

    def __init__(self, lattice: Lattice, field: ListField, place: Place) -> None:
        self._lattice, self._field, self._place = lattice, field, place
        side, device = lattice.side, lattice.device
        # The last element takes what is written for slots that hold no point.
        self._flat = torch.full((lattice.hands * lattice.size + 1,), -1.0, device=device)
        self._values = self._flat[:-1].view(lattice.hands, side, side, side)
        self._known = torch.ones_like(self._values, dtype=torch.bool)
        self._known[:, 1:-1, 1:-1, 1:-1].fill_(False)
        self._overflow = torch.zeros((), dtype=torch.bool, device=device)
        self._evaluations: list[Tensor] = []

    def first_round(self, step: int) -> Tensor:
        """Cells (H, c, c, c) that straddle, from the lattice points near bones alone."""
        lattice = self._lattice
        axis = torch.arange(0, lattice.side, step, device=lattice.device)
        grid = torch.cartesian_prod(axis, axis, axis) / lattice.resolution
        reach, segments = self._place.reach, self._place.segments
        near = torch.stack([distance_to_segments(grid, bones) <= reach for bones in segments])
        inner = (len(axis) - 2) ** 3 + TILE
        self._evaluate(near.unflatten(1, (len(axis),) * 3), step, inner)
        return straddling(self._inside(step))

    def next_round(self, parents: Tensor, step: int) -> Tensor:
        """The same of half the side, around those of before."""
        listed = self._children(parents, step)
        room = POINTS_A_SQUARE * (self._lattice.resolution // step) ** 2
        for _ in range(2):  # the second time for the few that the ring did not reach
            self._evaluate(corners_of(listed), step, room)
            inside = self._inside(step)
            cells = listed & straddling(inside)
            missing = beyond_faces(inside, cells) & ~listed
            listed = listed | ringed(missing)
        if step == 1:
            self._overflow |= missing.any()
        return cells

    def result(self, cells: Tensor) -> FixedCells:
        """What is found when the cells are fine."""
        padded = F.pad(cells, (0, 1) * 3)
        return FixedCells(self._values, padded, self._overflow, torch.stack(self._evaluations))

    def _inside(self, step: int) -> Tensor:
        return self._values[:, ::step, ::step, ::step] >= 0

    def _children(self, parents: Tensor, step: int) -> Tensor:
        """Cells of side `step` in parents (H, c, c, c), on bones, and a ring around them."""
        children = finer(parents)
        if step == 1:
            children = children & self._near_surface(2 * step)
        children = children | finer(self._on_bones(2 * step))
        return ringed(children)

    def _near_surface(self, step: int) -> Tensor:
        """Children of cells of side `step` that the surface may cross, by interpolation."""
        values = self._values[:, ::step, ::step, ::step]
        corners = torch.stack(at_corners(values))
        grid = interpolated(corners.flatten(1))
        lowest = highest = grid
        for axis in range(3):
            lowest = torch.minimum(lowest.narrow(axis, 0, 2), lowest.narrow(axis, 1, 2))
            highest = torch.maximum(highest.narrow(axis, 0, 2), highest.narrow(axis, 1, 2))
        slack = SLACK * (corners.amax(0) - corners.amin(0)).flatten()
        near = (lowest < slack) & (highest >= -slack)
        hands, cells = corners.shape[1:3]
        near = near.view(2, 2, 2, hands, *(cells,) * 3).permute(3, 4, 0, 5, 1, 6, 2)
        return near.reshape(hands, *(2 * cells,) * 3)

    def _on_bones(self, step: int) -> Tensor:
        """Cells (H, c, c, c) on bones with every corner outside: a finger may run between them."""
        lattice = self._lattice
        cells = lattice.resolution // step
        points = samples_on_segments(self._place.segments, step / lattice.resolution)
        low = (points * cells).floor().long()
        in_box = ((low >= 0) & (low < cells)).all(-1)
        hand = torch.arange(lattice.hands, device=lattice.device)[:, None]
        number = ((hand * cells + low[..., 0]) * cells + low[..., 1]) * cells + low[..., 2]
        count = lattice.hands * cells**3
        marks = torch.zeros(count + 1, dtype=torch.bool, device=lattice.device)
        marks.index_fill_(0, number.masked_fill(~in_box, count).flatten(), True)
        return marks[:count].view(lattice.hands, *(cells,) * 3) & ~any_inside(self._inside(step))

    def _evaluate(self, points: Tensor, step: int, room: int) -> None:
        """Evaluate those of the lattice points (H, p, p, p) of which nothing is known; there is
        room for so many of each hand."""
        lattice, place = self._lattice, self._place
        known = self._known[:, ::step, ::step, ::step]
        wanted = points & ~known
        known |= wanted
        side = wanted.shape[1]
        slots = compact(wanted.flatten(1), lattice.hands * -(-room // TILE) * TILE)
        used = slots.element < wanted.numel()
        index = torch.where(used, slots.element, 0)
        at = torch.stack((index // side**2 % side, index // side % side, index % side), -1) * step
        hand = index // side**3
        box = at.float() / lattice.resolution
        palm = box * place.side[hand, None] + place.origin[hand]
        logits = self._field(PointList(palm, slots.begin, slots.end)).float() - place.threshold
        # What is no number is not occupied, and what is infinite could not be interpolated.
        logits = logits.nan_to_num(-1.0, LARGEST, -LARGEST)
        x, y, _ = lattice.strides
        number = hand * lattice.size + at[:, 0] * x + at[:, 1] * y + at[:, 2]
        self._flat[torch.where(used, number, lattice.hands * lattice.size)] = logits
        self._overflow |= slots.overflow
        self._evaluations.append(used.sum())
