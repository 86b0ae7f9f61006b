"""The second look at a frame: from both hands' initial surfaces to their refined occupancy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.networks.paper.image_encoder import PaperFeatures
from im2hands_ros.networks.paper.initial_occupancy import PaperHandContext
from im2hands_ros.networks.paper.point_transformer import furthest_points
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedContext, PaperRefinedOccupancy
from im2hands_ros.surface.anchors import points_on_surface

# Cells per box side of the initial search: 3 mm are enough to put anchors on.
ANCHOR_RESOLUTION = 64
ANCHOR_COUNT = 512
# Anchors are the furthest apart of this many times as many points.
_CANDIDATES = 3


@dataclass(frozen=True)
class PaperRefinement:
    """The refinement network and what it sees of a frame, waiting for the initial surfaces.

    Attributes:
        network: on the frame's device.
        features: of the frame's crop, from the network's own encoder.
    """

    network: PaperRefinedOccupancy
    features: PaperFeatures

    def __call__(
        self,
        initial: PaperHandContext,
        surfaces: Sequence[tuple[NDArray[np.float32], NDArray[np.int32]]],
    ) -> PaperRefinedContext:
        """Look at the frame again.

        Args:
            initial: context of the left and the right hand.
            surfaces: their initial surfaces, (V, 3) vertices in the camera frame, metres, and
                (T, 3) triangles.
        """
        count = _CANDIDATES * ANCHOR_COUNT
        points = np.stack([points_on_surface(*surface, count) for surface in surfaces])
        candidates = torch.from_numpy(points).to(initial.intrinsics.device)
        anchors = _spread(candidates)
        index = torch.zeros(len(surfaces), dtype=torch.long, device=candidates.device)
        return self.network.context(self.features, index, initial, anchors)


def _spread(candidates: Tensor) -> Tensor:
    """(H, ANCHOR_COUNT, 3) of the (H, N, 3) candidates, far apart from each other."""
    chosen = furthest_points(candidates, ANCHOR_COUNT)
    return candidates.gather(1, chosen[..., None].expand(-1, -1, 3))
