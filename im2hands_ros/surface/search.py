"""Coarse-to-fine search for where an occupancy field crosses a threshold, all hands at once.

The dense lattice is never evaluated. Every round works on a list of cells of one side: their
unknown corners are evaluated in one padded batch, the cells whose corners straddle the threshold
(min < t <= max) are kept, and those are cut into eight for the next round. Two things make the
result equal to the dense evaluation:

* continuation: when a kept cell's face carries a sign change, the cell on the other side of that
  face straddles too; where it is not in the list yet it is added, until nothing is missing. A
  surface that is connected to one found cell is therefore complete, even where a coarse cell
  stepped over a finger;
* the box's outermost lattice points are outside by definition, so the surface closes inside it.

In the last, most expensive round only those children are listed whose corner values, interpolated
from the parent, come near the threshold; continuation adds the few that interpolation missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from im2hands_ros.surface.chunking import Chunks
from im2hands_ros.surface.lattice import (
    Lattice,
    coarsest_step,
    distance_to_segments,
    interpolated,
    samples_on_segments,
)
from im2hands_ros.surface.volumes import DEFAULT_CHUNK, Occupancy, Volumes

# A child is left to continuation when its interpolated corners stay this share of the parent's
# range of values away from the threshold. On capsule hands 0 saves 2 % of the evaluations but
# doubles what continuation has to find; 0.1 costs 6 % more.
PREDICTION_SLACK = 0.03


@dataclass(frozen=True)
class SurfaceCells:
    """What a search found: values around the surface and the fine cells it passes through.

    Attributes:
        values: (H, n, n, n) float32, n = resolution + 1; exact at the corners of `cells`, elsewhere
            exact or a constant below the threshold, even deep inside. The tensor belongs to the
            search object and is overwritten by its next call.
        cells: per hand (K,) int64, the low corners (x·n + y)·n + z of the fine cells that straddle.
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
    """Searches boxes of one resolution; keeps its volumes and clears only what a call touched.

    Not thread-safe: one search belongs to one worker. Raises ValueError for a resolution outside
    16..512.
    """

    def __init__(
        self,
        resolution: int,
        hands: int,
        device: torch.device | str = "cpu",
        chunk: int | Chunks = DEFAULT_CHUNK,
    ):
        self.lattice = Lattice(resolution, hands, torch.device(device))
        self._volumes = Volumes(self.lattice, chunk)

    @torch.no_grad()
    def __call__(
        self,
        occupancy: Occupancy,
        threshold: float,
        segments: Tensor | None = None,
        reach: float = 0.1,
    ) -> SurfaceCells:
        """Find the surface of every hand.

        occupancy: the field (see `Occupancy`); logits give the best interpolation. Called once or
            a few times per round, each time for both hands together.
        threshold: in the unit of the field (0 for logits at probability 0.5).
        segments: (H, S, 2, 3) bones in box coordinates, optional. In the first round only lattice
            points within `reach` (box units) of a bone are evaluated, and the cells that bones run
            through are always refined, so that nothing thin is missed. A hint only: what
            continuation finds further away is evaluated all the same.
        Raises ValueError when the field returns another shape than (H, N).
        """
        self._volumes.begin(occupancy, threshold)
        step = coarsest_step(self.lattice.resolution)
        if segments is None or step == 1:
            cells = self._straddling(self._volumes.list(self.lattice.cells(step), step), step)
        else:
            cells = self._straddling_near_bones(segments, reach, step)
        while step > 1:
            children = self._children(cells, segments, step)
            step //= 2
            cells = self._next_round(cells, children, step)
        return self._result(cells)

    @torch.no_grad()
    def densely(self, occupancy: Occupancy, threshold: float) -> SurfaceCells:
        """The same result by dense evaluation of every lattice point, to compare with."""
        self._volumes.begin(occupancy, threshold)
        self._volumes.evaluate(self.lattice.every_point())
        cells = self._volumes.list(self.lattice.cells(1), 1)
        return self._result(self._straddling(cells, 1))

    def _straddling_near_bones(self, segments: Tensor, reach: float, step: int) -> Tensor:
        """First round: evaluate lattice points within reach of bones; return straddling cells.

        Corners out of reach count as outside but stay unknown: a later round that needs them
        evaluates them.
        """
        lattice = self.lattice
        axis = torch.arange(0, lattice.side, step, device=lattice.device)
        grid = torch.cartesian_prod(axis, axis, axis)
        near = torch.stack(
            [distance_to_segments(grid / lattice.resolution, bones) <= reach for bones in segments]
        )
        hand, point = near.nonzero(as_tuple=True)
        self._volumes.evaluate(lattice.index(hand, grid[point]))
        cells = lattice.cells(step)
        return cells[_mixed(self._volumes.inside(lattice.corners(cells, step)))]

    def _next_round(self, parents: Tensor, children: Tensor, step: int) -> Tensor:
        """Straddling cells of side `step` among listed ones and beyond; parents are twice as large.

        Another search may evaluate less here.
        """
        return self._straddling(children, step)

    def _straddling(self, cells: Tensor, step: int) -> Tensor:
        """Evaluate the corners of listed cells; return all that straddle, continued over faces."""
        found = []
        while cells.numel():
            corners = self.lattice.corners(cells, step)
            self._volumes.evaluate(self._volumes.unknown(corners))
            inside = self._volumes.inside(corners)
            mixed = _mixed(inside)
            found.append(cells[mixed])
            cells = self._beyond_faces(cells[mixed], inside[:, mixed], step)
        return torch.cat(found) if found else cells

    def _beyond_faces(self, cells: Tensor, inside: Tensor, step: int) -> Tensor:
        """Unlisted cells on the other side of the faces that carry a sign change.

        inside: (8, K) of the corners of the cells.
        Such a face never lies on the box's border, where all points are outside, so the neighbour
        always exists.
        """
        fresh = []
        for axis, stride in enumerate(self.lattice.strides):
            faces = inside.view(2, 2, 2, -1).movedim(axis, 0).flatten(1, 2)
            for face, direction in zip(faces, (-1, 1), strict=True):
                beyond = cells[_mixed(face)] + direction * step * stride
                fresh.append(self._volumes.list(beyond, step))
        return torch.cat(fresh)

    def _children(self, cells: Tensor, segments: Tensor | None, step: int) -> Tensor:
        """Cells of half the side in straddling cells and on bones, listed for the next round."""
        children = self.lattice.corners(cells, step // 2)
        if step == 2:
            corners = self._volumes.values[self.lattice.corners(cells, step)]
            children = children[_children_near(corners, self._volumes.threshold)]
        children = children.flatten()
        if segments is not None:
            on_bones = self.lattice.corners(self._cells_on_bones(segments, step), step // 2)
            children = torch.unique(torch.cat((children, on_bones.flatten())))
        return self._volumes.list(children, step // 2)

    def _cells_on_bones(self, segments: Tensor, step: int) -> Tensor:
        """Cells on bones with every corner outside: a finger may run between the points."""
        lattice = self.lattice
        points = samples_on_segments(segments, step / lattice.resolution)
        low = (points * (lattice.resolution / step)).floor().long() * step
        hand = torch.arange(lattice.hands, device=lattice.device)[:, None].expand(low.shape[:2])
        in_box = ((low >= 0) & (low < lattice.resolution)).all(-1)
        cells = torch.unique(lattice.index(hand[in_box], low[in_box]))
        return cells[~self._volumes.inside(lattice.corners(cells, step)).any(0)]

    def _result(self, cells: Tensor) -> SurfaceCells:
        lattice, volumes = self.lattice, self._volumes
        hand = lattice.hand_of(cells)
        per_hand = tuple(
            (cells[hand == number] - number * lattice.size).sort().values
            for number in range(lattice.hands)
        )
        values = volumes.values.view((lattice.hands,) + (lattice.side,) * 3)
        counts = tuple(volumes.evaluations)
        return SurfaceCells(values, per_hand, lattice.resolution, volumes.threshold, counts)


def _mixed(inside: Tensor) -> Tensor:
    """(C, K) of corners: are some inside and some not? (K,) bool."""
    return inside.any(0) & ~inside.all(0)


def _children_near(corners: Tensor, threshold: float) -> Tensor:
    """(8, K) corner values to (8, K) bool: may this child straddle, by trilinear interpolation?"""
    lowest = highest = interpolated(corners)
    for axis in range(3):
        lowest = torch.minimum(lowest.narrow(axis, 0, 2), lowest.narrow(axis, 1, 2))
        highest = torch.maximum(highest.narrow(axis, 0, 2), highest.narrow(axis, 1, 2))
    slack = PREDICTION_SLACK * (corners.amax(0) - corners.amin(0))
    near = (lowest < threshold + slack) & (highest >= threshold - slack)
    return near.flatten(0, 2)


def search(
    occupancy: Occupancy,
    resolution: int,
    threshold: float,
    hands: int = 2,
    device: torch.device | str = "cpu",
    segments: Tensor | None = None,
    reach: float = 0.1,
) -> SurfaceCells:
    """One search with buffers of its own; a caller with many frames keeps a `SurfaceSearch`."""
    return SurfaceSearch(resolution, hands, device)(occupancy, threshold, segments, reach)
