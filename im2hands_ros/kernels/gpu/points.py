"""Lists of fixed size whose counts stay on the device: compaction by prefix sums."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Points of different hands never share a tile of the field's kernel.
TILE = 64


class PointList(NamedTuple):
    """Query points of H hands in one list of fixed size C, hand after hand.

    Attributes:
        points: (C, 3) float32 metres, each hand's in its palm frame; finite also where unused.
        begin, end: (H,) int64, on the device: hand h has the points begin[h]:end[h]; a hand begins
            at a multiple of TILE.
    """

    points: Tensor
    begin: Tensor
    end: Tensor

    @classmethod
    def of_hands(cls, points_palm: Tensor) -> PointList:
        """All of (H, N, 3) points."""
        hands, count, _ = points_palm.shape
        padded = -(-count // TILE) * TILE
        points = torch.nn.functional.pad(points_palm.float(), (0, 0, 0, padded - count))
        begin = torch.arange(hands, device=points.device) * padded
        return cls(points.flatten(0, 1), begin, begin + count)

    def in_rows(self, values: Tensor, hands: int, count: int) -> Tensor:
        """Values (C,) of a list made by `of_hands` as (H, N)."""
        return values.view(hands, -1)[:, :count]


class Slots(NamedTuple):
    """Which elements of a mask (H, N) a list of fixed size C holds.

    Attributes:
        element: (C,) int64 flat numbers of the elements, ascending; H·N where a slot is unused.
        begin, end: (H,) as in PointList. overflow: () bool, True when C was too small.
    """

    element: Tensor
    begin: Tensor
    end: Tensor
    overflow: Tensor


def compact(mask: Tensor, capacity: int, aligned: int = TILE) -> Slots:
    """The True elements of a mask (H, N), each hand's from a multiple of `aligned` on."""
    count = mask.sum(1)
    room = (count + aligned - 1).div(aligned, rounding_mode="floor") * aligned
    begin = room.cumsum(0) - room
    end = begin + count
    place = mask.cumsum(1) - 1 + begin[:, None]
    # What is not in the mask, and what finds no room, goes to a slot that is cut off.
    place = place.masked_fill(~mask, capacity).clamp_max(capacity)
    elements = mask.numel()
    index = torch.full((capacity + 1,), elements, device=mask.device)
    index.scatter_(0, place.flatten(), torch.arange(elements, device=mask.device))
    return Slots(index[:capacity], begin, end.clamp_max(capacity), end[-1] > capacity)
