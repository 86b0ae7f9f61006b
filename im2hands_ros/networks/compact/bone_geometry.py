"""The 20 bones of a hand that the articulated decoder has a network for, each in its own frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.constants import constant, indices
from im2hands_ros.precision import autocast_disabled

# The 15 finger bones in the published order (index, middle, pinky, ring, thumb), then the five
# metacarpals, thumb to pinky: five rigid pieces follow a bending palm, the published one cannot.
SLOT_COUNT = 20
_FINGER_BASES = (5, 9, 17, 13, 1)
STARTS = (*(base + level for base in _FINGER_BASES for level in range(3)), 0, 0, 0, 0, 0)
ENDS = (*(base + level + 1 for base in _FINGER_BASES for level in range(3)), 1, 5, 9, 13, 17)
# A bone's flesh is at least a capsule of this share of the hand's reach (plus flesh around it): a
# lattice of 64 cells along a search box of that size cannot sever it. It tapers towards fingertips,
# which lie just under the skin, down to this share, and this many metres: what the largest
# correction of `RefinedOccupancy` leaves a surface.
_FLOOR, _FLOOR_TIP, _FLOOR_MARGIN, _FLOOR_LEAST = 0.0145, 0.0135, 0.064, 0.0021
# Of the metacarpals, in the order of the fingers' bones.
_METACARPALS = (1, 2, 4, 3, 0)
_IS_TIP = tuple(slot % 3 == 2 and slot < 15 for slot in range(SLOT_COUNT))


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
        floor: (H, S, 2) least radius of the flesh at the bone's start and end, metres.
    """

    rotation: Tensor
    translation: Tensor
    direction: Tensor
    length: Tensor
    start: Tensor
    frame: Tensor
    offset: Tensor
    floor: Tensor


def bone_geometry(hands: CanonicalHands) -> BoneGeometry:
    """The frames of the ``SLOT_COUNT`` bones of H hands."""
    transforms = torch.cat([hands.bone_from_palm[:, 1:], hands.metacarpal_from_palm], dim=1)
    lengths = torch.cat([hands.bone_lengths[:, 1:], hands.metacarpal_lengths], dim=1)
    rotation = transforms[..., :3]
    joints = hands.joints_palm
    start, end = (joints[:, indices(ends, joints.device)] for ends in (STARTS, ENDS))
    with autocast_disabled(rotation):
        vector = (rotation @ (end - start)[..., None])[..., 0]
        translation = -(rotation @ start[..., None])[..., 0]
        direction = vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        axis = (rotation.transpose(2, 3) @ direction[..., None])[..., 0]
    frame = torch.cat([rotation, axis[:, :, None]], dim=2)
    behind = -(axis * start).sum(-1, keepdim=True)
    offset = torch.cat([translation, behind], dim=2)
    floor = floor_radii(lengths)
    return BoneGeometry(rotation, translation, direction, lengths, start, frame, offset, floor)


def floor_radii(lengths: Tensor) -> Tensor:
    """(H, S, 2) least radii of the flesh at start and end of bones of lengths (H, S), metres."""
    fingers = (
        lengths[:, :15].unflatten(1, (5, 3)).sum(2)
        + lengths[:, 15:][:, indices(_METACARPALS, lengths.device)]
    )
    size = fingers.amax(1, keepdim=True) + _FLOOR_MARGIN
    along = (_FLOOR * size).expand_as(lengths)
    is_tip = constant(_IS_TIP, lengths.device, torch.bool)
    tip = (_FLOOR_TIP * size).clamp_min(_FLOOR_LEAST)
    return torch.stack([along, torch.where(is_tip, tip, along)], 2)
