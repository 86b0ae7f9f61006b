"""The 20 bones of a hand that the articulated decoder has a network for, each in its own frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.precision import autocast_disabled

# The 15 finger bones in the published order (index, middle, pinky, ring, thumb), then the five
# metacarpals, thumb to pinky: five rigid pieces follow a bending palm, the published one cannot.
SLOT_COUNT = 20
_FINGER_BASES = (5, 9, 17, 13, 1)
STARTS = (*(base + level for base in _FINGER_BASES for level in range(3)), 0, 0, 0, 0, 0)
ENDS = (*(base + level + 1 for base in _FINGER_BASES for level in range(3)), 1, 5, 9, 13, 17)


class BoneGeometry(NamedTuple):
    """Bones of H hands, each in a frame of its own whose origin is the bone's start.

    Attributes:
        rotation: (H, S, 3, 3) and
        translation: (H, S, 3): point in the bone's frame = rotation @ point_palm + translation,
            metres.
        direction: (H, S, 3) unit vector of the bone in its own frame.
        length: (H, S) metres.
        start: (H, S, 3) where the bone starts, palm frame.
        frame: (H, S, 4, 3) and
        offset: (H, S, 4): frame @ point_palm + offset = point in the bone's frame, and how far
            along the bone it is, metres.
    """

    rotation: Tensor
    translation: Tensor
    direction: Tensor
    length: Tensor
    start: Tensor
    frame: Tensor
    offset: Tensor


def bone_geometry(hands: CanonicalHands) -> BoneGeometry:
    """The frames of the ``SLOT_COUNT`` bones of H hands."""
    transforms = torch.cat([hands.bone_from_palm[:, 1:], hands.metacarpal_from_palm], dim=1)
    lengths = torch.cat([hands.bone_lengths[:, 1:], hands.metacarpal_lengths], dim=1)
    rotation = transforms[..., :3]
    start, end = (hands.joints_palm[:, list(ends)] for ends in (STARTS, ENDS))
    with autocast_disabled(rotation):
        vector = (rotation @ (end - start)[..., None])[..., 0]
        translation = -(rotation @ start[..., None])[..., 0]
        direction = vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        axis = (rotation.transpose(2, 3) @ direction[..., None])[..., 0]
    frame = torch.cat([rotation, axis[:, :, None]], dim=2)
    behind = -(axis * start).sum(-1, keepdim=True)
    offset = torch.cat([translation, behind], dim=2)
    return BoneGeometry(rotation, translation, direction, lengths, start, frame, offset)
