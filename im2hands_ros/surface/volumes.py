"""Values of the lattice of all hands: those known so far, and the evaluation of the others."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from im2hands_ros.surface.chunking import Chunks
from im2hands_ros.surface.lattice import Lattice

Occupancy = Callable[[Tensor, Tensor], Tensor]
"""(H, N, 3) float32 box points and (H, N) bool (False = padding) to (H, N) occupancy values.

Padded rows, one per hand, are the layout a network's batched matrix products want.
"""

DEFAULT_CHUNK = 65536
# Far enough from the threshold for any logit, near enough to interpolate with.
LARGEST = 1e4

# What is known of a lattice point. The outermost points of a box are outside by definition, so
# that the surface closes in it.
_UNKNOWN, _INTERPOLATED, _EVALUATED, _BORDER = range(4)


class Volumes:
    """Dense storage, reused between searches; only entries that the last search touched are reset.

    values (H·n³,) float32: a constant below the threshold where nothing was evaluated.
    evaluations: points evaluated per call of the field since `begin`, padding not counted.
    """

    def __init__(self, lattice: Lattice, chunk: int | Chunks = DEFAULT_CHUNK):
        count = lattice.hands * lattice.size
        self.values = torch.zeros(count, device=lattice.device)
        self.threshold = 0.0
        self.evaluations: list[int] = []
        self._lattice = lattice
        self._chunks = Chunks(chunk) if isinstance(chunk, int) else chunk
        self._state = _states(lattice)
        self._listed = torch.zeros(count, dtype=torch.uint8, device=lattice.device)
        self._touched: list[Tensor] = []
        self._marked: list[Tensor] = []
        self._outside = 0.0  # what `values` hold where nothing was evaluated
        self._occupancy: Occupancy = _nothing

    def begin(self, occupancy: Occupancy, threshold: float) -> None:
        """Clear the last search; from now on `occupancy` is what gets evaluated."""
        self._occupancy, self.threshold, self.evaluations = occupancy, threshold, []
        if threshold - 1.0 != self._outside:
            self._outside = threshold - 1.0
            self.values.fill_(self._outside)
        for index in self._touched:
            self.values[index] = self._outside
            self._state[index] = _UNKNOWN
        for cells in self._marked:
            self._listed[cells] = 0
        self._touched, self._marked = [], []

    def inside(self, index: Tensor) -> Tensor:
        """Is the value of these lattice points at or above the threshold?"""
        return self.values[index] >= self.threshold

    def list(self, cells: Tensor, step: int) -> Tensor:
        """Mark cells, all different, as listed in the round of `step`; return the new ones."""
        fresh = cells[self._listed[cells] != step]
        self._listed[fresh] = step
        self._marked.append(fresh)
        return fresh

    def interpolate(self, index: Tensor, values: Tensor, chosen: Tensor) -> None:
        """Store interpolated values at the chosen ones of the unknown points; all of one shape.

        Values of the same point are about the same. They are replaced where the point is evaluated.
        """
        chosen = chosen & (self._state[index] == _UNKNOWN)
        index = index[chosen]
        self.values[index] = values[chosen]
        self._state[index] = _INTERPOLATED
        self._touched.append(index)

    def is_interpolated(self, index: Tensor) -> Tensor:
        """Are the values of these points interpolated?"""
        return self._state[index] == _INTERPOLATED

    def is_evaluated(self, index: Tensor) -> Tensor:
        """Are the values of these points the field's?"""
        return self._state[index] == _EVALUATED

    def unknown(self, corners: Tensor) -> Tensor:
        """Those of cells' corners (8, K) of which nothing is known, each once; evaluate them next.

        Corner by corner: one corner number never names the same point twice, so nothing is sorted.
        """
        fresh = torch.empty_like(corners, dtype=torch.bool)
        for index, new in zip(corners, fresh, strict=True):
            state = self._state[index]
            torch.eq(state, _UNKNOWN, out=new)
            self._state[index] = state.masked_fill_(new, _EVALUATED)
        return corners[fresh]

    def evaluate(self, index: Tensor) -> None:
        """Evaluate lattice points, all different, as one padded batch and store their values."""
        index = index[self._state[index] != _BORDER]
        if not index.numel():
            return
        lattice = self._lattice
        self._state[index] = _EVALUATED
        self._touched.append(index)
        hand = lattice.hand_of(index)
        member = hand == torch.arange(lattice.hands, device=lattice.device)[:, None]
        rank = member.cumsum(1)
        count = rank[:, -1:]
        longest = int(count.max())
        rank = rank.gather(0, hand[None])[0] - 1
        points = torch.zeros((lattice.hands, longest, 3), device=lattice.device)
        points[hand, rank] = lattice.points(index)
        valid = torch.arange(longest, device=lattice.device) < count
        self.values[index] = self._in_chunks(points, valid)[hand, rank]
        self.evaluations.append(len(index))

    def _in_chunks(self, points: Tensor, valid: Tensor) -> Tensor:
        def evaluate(part: slice) -> Tensor:
            values = self._occupancy(points[:, part], valid[:, part])
            if values.shape != valid[:, part].shape:
                raise ValueError(
                    f"the field returned shape {tuple(values.shape)} for points "
                    f"{tuple(points[:, part].shape)}; it must return one value per point"
                )
            return values.float()

        parts = self._chunks.over(points.shape[1], evaluate)
        # What is no number is not occupied, and what is infinite could not be interpolated.
        return torch.cat(parts, 1).nan_to_num_(self._outside, LARGEST, -LARGEST)


def _states(lattice: Lattice) -> Tensor:
    """What is known before the first search: the border."""
    state = torch.full((lattice.hands,) + (lattice.side,) * 3, _BORDER, dtype=torch.uint8)
    state[:, 1:-1, 1:-1, 1:-1] = _UNKNOWN
    return state.flatten().to(lattice.device)


def _nothing(points: Tensor, valid: Tensor) -> Tensor:
    """The field before the first search."""
    raise RuntimeError("no search has begun: call begin() with a field first")
