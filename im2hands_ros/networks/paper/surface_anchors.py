"""Anchors of the published refinement: points far apart on both hands' initial surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.networks.paper.image_encoder import PaperFeatures
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialContext
from im2hands_ros.networks.paper.point_transformer import furthest_points
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.protocol import HandContext, HandTriangles

ANCHOR_COUNT = 512
# Anchors are the furthest apart of this many times as many points.
_CANDIDATES = 3
# Steps of the plane's most even additive sequence (R2): 1 / p and 1 / p^2 with p^3 = p + 1.
_STEPS = np.array([0.7548776662466927, 0.5698402909980532])


@dataclass(frozen=True, eq=False)
class UnanchoredContext(HandContext):
    """Both hands' initial occupancy, to be refined once their initial surfaces are known.

    Attributes:
        initial: of the left and the right hand. network: of the refinement.
        features: of the frame's crop, from the refinement's own encoder.
    """

    initial: PaperInitialContext
    network: PaperRefinedOccupancy
    features: PaperFeatures
    # 3 mm cells are enough to put anchors on.
    surface_resolution = 64

    def logits(self, points_palm: Tensor) -> Tensor:
        """Initial occupancy."""
        return self.initial.logits(points_palm)

    def with_surfaces(self, surfaces: Sequence[HandTriangles | None]) -> HandContext:
        """Refined occupancy; the initial one where a hand has no surface."""
        found = [surface for surface in surfaces if surface is not None]
        if len(found) < len(surfaces):
            return self.initial
        points = [points_on_surface(*each, _CANDIDATES * ANCHOR_COUNT) for each in found]
        candidates = torch.from_numpy(np.stack(points)).to(self.hands.wrist.device)
        chosen = furthest_points(candidates, ANCHOR_COUNT)[..., None]
        anchors = candidates.gather(1, chosen.expand(-1, -1, 3))
        index = torch.zeros(len(found), dtype=torch.long, device=candidates.device)
        return self.network.context(self.features, index, self.initial, anchors)


def points_on_surface(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer], count: int
) -> NDArray[np.float32]:
    """(count, 3) points on the triangles, as many on each as its share of the area.

    vertices (V, 3), triangles (T, 3) of positive total area.
    """
    corners = vertices[triangles].astype(np.float64)
    edges = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1).cumsum()
    number = np.arange(count)
    chosen = np.searchsorted(area, (number + 0.5) / count * area[-1])
    share = (0.5 + number[:, None] * _STEPS) % 1
    # The far half of the parallelogram is folded back into the triangle.
    share = np.where(share.sum(1, keepdims=True) > 1, 1 - share, share)
    points = corners[chosen, 0] + (share[:, :, None] * edges[chosen]).sum(1)
    return points.astype(np.float32)
