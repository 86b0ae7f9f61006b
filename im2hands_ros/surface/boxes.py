"""The cubes that hands are searched in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Flesh reaches this far from the joints at most, metres: the margin of the search box.
FLESH_REACH = 0.032


@dataclass(frozen=True)
class SearchBoxes:
    """Cubes in the palm frames that hold the hands: origin (H, 3) and side (H,), metres."""

    origin: Tensor
    side: Tensor

    @classmethod
    def around(cls, joints_palm: Tensor) -> SearchBoxes:
        """Boxes around (H, 21, 3) joints with room for the flesh."""
        low, high = joints_palm.amin(1), joints_palm.amax(1)
        side = (high - low).amax(1) + 2 * FLESH_REACH
        return cls((low + high) / 2 - side[:, None] / 2, side)

    def to(self, device: torch.device) -> SearchBoxes:
        """The same on a device."""
        return SearchBoxes(self.origin.to(device), self.side.to(device))

    def palm_from_box(self, points_box: Tensor) -> Tensor:
        """(H, N, 3) box coordinates in [0, 1] to metres in the palm frame."""
        return points_box * self.side[:, None, None] + self.origin[:, None]

    def box_from_palm(self, points_palm: Tensor) -> Tensor:
        """(H, N, 3) metres in the palm frame to box coordinates."""
        return (points_palm - self.origin[:, None]) / self.side[:, None, None]
