"""A hand as spheres, whose collisions are found by their distances."""

import igl
import numpy as np
import torch
from torch import Tensor

from im2hands_ros.synthetic.hand import BakedHand

FINGER_STEPS = ((0.0, 0.25, 0.5, 0.75), (0.0, 0.33, 0.66), (0.0, 0.4, 0.85))  # along each phalanx
PALM_STEPS = (0.28, 0.46, 0.64, 0.82)  # from wrist to knuckle
FOREARM_STEPS = (0.1, 0.25, 0.42, 0.6, 0.8)
THUMB_STEPS = ((0.3, 0.65), (0.0, 0.25, 0.5, 0.75), (0.0, 0.4, 0.85))


class SphereProxies:
    """A hand as spheres whose centres are fixed blends of its landmarks.

    blends (N, 23); region (N,): 0-4 finger, 5 palm, 6 forearm (the last rows); hand_count: spheres
    that are not the forearm's; tips (5,) and knuckles (5,): rows of the last
    and the first sphere of each finger; pairs (P, 2): rows that may collide within a hand.
    """

    def __init__(self, hand: BakedHand) -> None:
        self.blends, self.region = sphere_layout()
        self.tips = torch.tensor([int((self.region == f).nonzero()[-1]) for f in range(5)])
        self.knuckles = torch.tensor([int((self.region == f).nonzero()[0]) for f in range(5)])
        self.palm = (self.region == 5).nonzero()[:, 0]
        self.hand_count = int((self.region < 6).sum())
        pose, shape, _, _ = neutral(hand, 1)
        centres = self.blends @ hand.rest_frame_landmarks(pose, shape)[0]
        self._radius, self._radius_basis = inscribed_radii(hand, self.blends)
        self.pairs = self._free_pairs(centres)

    def radii(self, shape: Tensor) -> Tensor:
        """(B, 12) shapes -> (B, N) metres."""
        return (self._radius + shape @ self._radius_basis).clamp(min=0.003)

    def _free_pairs(self, centres: Tensor) -> Tensor:
        """(N, N) 1 where spheres of one hand belong to different parts and are apart at rest."""
        different = (self.region[:, None] != self.region) & (self.region < 6)
        different &= different.T.clone()
        apart = torch.cdist(centres, centres) > 1.02 * (self._radius[:, None] + self._radius)
        return (different & apart).to(centres)


def sphere_layout() -> tuple[Tensor, Tensor]:
    """Blends (N, 23) of landmarks, float64, and the regions (N,)."""
    rows: list[Tensor] = []
    region: list[int] = []

    def add(a: int, b: int, step: float, part: int) -> None:
        row = torch.zeros(23, dtype=torch.float64)
        row[a] += 1 - step
        row[b] += step
        rows.append(row)
        region.append(part)

    for finger in range(5):
        steps = THUMB_STEPS if finger == 0 else FINGER_STEPS
        for bone, along in enumerate(steps):
            start = 1 + 4 * finger + bone
            for step in along:
                add(start, start + 1, step, finger)
    for knuckle in (5, 9, 13, 17):
        for step in PALM_STEPS:
            add(0, knuckle, step, 5)
    for step in FOREARM_STEPS:
        add(21, 22, step, 6)
    return torch.stack(rows), torch.tensor(region)


def neutral(hand: BakedHand, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pose, shape, rotation, translation of `count` mean hands at rest."""
    zeros = hand.frames.new_zeros
    turn = torch.eye(3).to(hand.frames).expand(count, 3, 3)
    return zeros(count, hand.pose_dims), zeros(count, hand.shape_dims), turn, zeros(count, 3)


def inscribed_radii(hand: BakedHand, blends: Tensor) -> tuple[Tensor, Tensor]:
    """Distance from the spheres' centres to the skin: (N,) for the mean, (12, N) per shape."""
    pose, mean, rotation, translation = neutral(hand, 1 + hand.shape_dims)
    shapes = mean + torch.eye(hand.shape_dims + 1).to(mean)[:, 1:]
    posed = hand.pose(pose, shapes, rotation, translation, "right")
    centres = blends @ hand.rest_frame_landmarks(pose, shapes)
    radii = [
        np.sqrt(igl.point_mesh_squared_distance(c, v, hand.skin_triangles)[0])
        for c, v in zip(centres.numpy(), posed.skin.numpy(), strict=True)
    ]
    table = torch.from_numpy(np.stack(radii))
    return table[0], table[1:] - table[0]
