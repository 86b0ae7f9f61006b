"""The simplest hand that 21 keypoints give: tapered capsules along the bones and a rounded palm.

It has nothing but proportions, so it is the least that a network has to beat.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.skeleton import BONES, MIDDLE_MCP, WRIST
from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.search import search
from im2hands_ros.synthetic.sample import Mesh

# Radius at each of the 21 joints as a share of the palm's length (wrist to middle MCP), and the
# triangles of joints that fill the palm between metacarpals, whose radii are their corners' mean
# times PALM_THICKNESS. Fitted to labels of training samples by tools/fit_capsule_hand.py.
JOINT_RADII = (
    *(0.238,),
    *(0.256, 0.144, 0.086, 0.068),
    *(0.06, 0.099, 0.085, 0.053),
    *(0.13, 0.088, 0.083, 0.055),
    *(0.128, 0.08, 0.078, 0.052),
    *(0.129, 0.061, 0.067, 0.043),
)
PALM = ((0, 5, 9), (0, 9, 13), (0, 13, 17), (0, 2, 5))
PALM_THICKNESS = (0.95, 0.546, 0.528, 0.552)
# Depth at which the occupancy falls from 0.5 to 0.27, metres.
SOFTNESS = 0.002
_MARGIN = 0.35


class CapsuleHand:
    """Union of capsules and rounded triangles on the keypoints of one hand.

    keypoints (21, 3) MANO order, metres, any frame; left and right hands alike.
    """

    def __init__(
        self,
        keypoints: NDArray[np.floating],
        radii: Tensor | None = None,
        palm_thickness: Tensor | None = None,
    ) -> None:
        self._joints = torch.as_tensor(np.asarray(keypoints), dtype=torch.float32)
        self._middle = self._joints.mean(0)
        palm = (self._joints[MIDDLE_MCP] - self._joints[WRIST]).norm()
        self._radii = palm * (torch.tensor(JOINT_RADII) if radii is None else radii)
        thickness = torch.tensor(PALM_THICKNESS) if palm_thickness is None else palm_thickness
        self._palm_radii = self._radii[torch.tensor(PALM)].mean(1) * thickness

    def depth(self, points: Tensor) -> Tensor:
        """(N, 3) points to (N,) metres under the surface, negative outside; differentiable."""
        # Around the middle of the hand, where squares of coordinates are small and exact enough.
        points, joints = points - self._middle, self._joints - self._middle
        bones, palm = torch.tensor(BONES), torch.tensor(PALM)
        rims = torch.cat([palm[:, [k, k - 2]] for k in range(3)])
        distance, share = _to_segments(points, joints[torch.cat((bones, rims))])
        distance, edges = distance.split((len(bones), len(rims)), 1)
        start, end = self._radii[bones].T
        in_bones = start + share[:, : len(bones)] * (end - start) - distance
        edges = edges.unflatten(1, (3, len(palm))).amin(1)
        in_palm = self._palm_radii - _to_triangles(points, joints[palm], edges)
        return torch.cat((in_bones, in_palm), 1).amax(1)

    def occupancy(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """(N, 3) points to (N,) probabilities."""
        tensor = torch.as_tensor(np.asarray(points), dtype=torch.float32)
        return torch.cat(
            [
                (part_depth / SOFTNESS).sigmoid()
                for part_depth in map(self.depth, tensor.split(16384))
            ]
        ).numpy()

    def mesh(self, resolution: int = 96) -> Mesh | None:
        """Its surface; None when the keypoints coincide."""
        low, high = self._joints.amin(0), self._joints.amax(0)
        size = (high - low).amax() * (1 + 2 * _MARGIN)
        origin = (low + high - size) / 2

        def field(points: Tensor, valid: Tensor) -> Tensor:
            return self.depth(points[0] * size + origin)[None]

        found = extract(search(field, resolution, 0.0, hands=1), 0)
        if found is None:
            return None
        return Mesh(found.vertices * float(size) + origin.numpy(), found.triangles)


def _to_segments(points: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3), (S, 2, 3) to distances (N, S) and where along the segments (N, S), 0..1."""
    start = segments[:, 0]
    along = segments[:, 1] - start
    length = (along * along).sum(-1).clamp_min(1e-12)
    passed = points @ along.T - (start * along).sum(-1)
    share = (passed / length).clamp(0, 1)
    to_start = (points * points).sum(-1, keepdim=True) - 2 * points @ start.T + (start**2).sum(-1)
    squared = to_start - share * (2 * passed - share * length)
    return squared.clamp_min(1e-12).sqrt(), share


def _to_triangles(points: Tensor, triangles: Tensor, edges: Tensor) -> Tensor:
    """Distances to triangles (N, T): to the plane over one, else to its edges.

    points (N, 3), triangles (T, 3, 3), edges (N, T): distance to the nearest edge.
    """
    a, b, c = triangles.unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    over = torch.ones_like(edges, dtype=torch.bool)
    for k in range(3):
        corner = triangles[:, k]
        inward = torch.linalg.cross(normal, triangles[:, k - 2] - corner)
        over &= points @ inward.T >= (corner * inward).sum(-1)
    height = (points @ normal.T - (a * normal).sum(-1)).abs()
    return torch.where(over, height, edges)
