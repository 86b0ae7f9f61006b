"""Anchors: corresponding points on every hand, found on its initial surface by sphere tracing.

A ray starts on each bone at a fixed place in a fixed direction. The initial occupancy's logits are
millimetres of depth, so stepping outwards by the depth that is left finds the skin in a few steps.
No mesh, no sampling, nothing random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.constants import constant, indices
from im2hands_ros.networks.compact.articulated_decoder import DEPTH_UNIT
from im2hands_ros.networks.compact.bone_geometry import SLOT_COUNT, BoneGeometry
from im2hands_ros.precision import autocast_disabled

_FINGER_BONES, _METACARPALS = range(15), range(15, SLOT_COUNT)
_TIP_BONES = (2, 5, 8, 11, 14)
_STEPS = 5
# Metres: a step never goes further; from where the skin is far the field is no distance.
_LONGEST_STEP = 0.012


class Anchors(NamedTuple):
    """Anchors of H hands, in each hand's palm frame.

    Attributes:
        positions: (H, A, 3) metres, on or near the skin.
        directions: (H, A, 3) unit, the way that the rays went.
        reach: (H, A) distance from the bone, metres.
        depth: (H, A) initial depth that is left, millimetres: 0 where the ray found the skin.
    """

    positions: Tensor
    directions: Tensor
    reach: Tensor
    depth: Tensor


def _rays() -> tuple[list[int], list[float], list[tuple[float, float, float]]]:
    """Bone, share along it and (across, over, along) direction of each ray."""
    bones: list[int] = []
    shares: list[float] = []
    directions: list[tuple[float, float, float]] = []

    def add(bone: int, share: float, direction: tuple[float, float, float]) -> None:
        bones.append(bone)
        shares.append(share)
        directions.append(direction)

    for bone in _FINGER_BONES:
        for share in (0.25, 0.75):
            for quarter in range(4):
                angle = (quarter + 0.5) * math.pi / 2
                add(bone, share, (math.cos(angle), math.sin(angle), 0.0))
    for bone in _METACARPALS:
        for share in (0.35, 0.75):
            for side in (1.0, -1.0):
                add(bone, share, (0.0, side, 0.0))
    for bone in _TIP_BONES:
        add(bone, 1.0, (0.0, 0.0, 1.0))
    return bones, shares, directions


_RAY_BONES, _RAY_SHARES, _RAY_DIRECTIONS = _rays()
ANCHOR_COUNT = len(_RAY_BONES)


def trace_anchors(bones: BoneGeometry, depth_at: Callable[[Tensor], Tensor]) -> Anchors:
    """Find the anchors of H hands.

    Args:
        bones: of the hands.
        depth_at: initial logits (H, N), millimetres of depth, of (H, N, 3) palm-frame points.
    """
    start, direction = _starts(bones)
    reach = start.new_zeros(start.shape[:2])
    for _ in range(_STEPS):
        depth = depth_at(start + reach[..., None] * direction)
        step = (depth * DEPTH_UNIT).clamp(-_LONGEST_STEP, _LONGEST_STEP)
        reach = (reach + step).clamp_min(0)
    positions = start + reach[..., None] * direction
    return Anchors(positions, direction, reach, depth_at(positions))


def _starts(bones: BoneGeometry) -> tuple[Tensor, Tensor]:
    """Starts and unit directions (H, A, 3) of the rays in the palm frame."""
    device = bones.length.device
    index, share = indices(tuple(_RAY_BONES), device), constant(tuple(_RAY_SHARES), device)
    local = constant(tuple(_RAY_DIRECTIONS), device)
    along = bones.direction[:, index]
    # The straightened frames' y axis leaves the back of the hand; x is across.
    over = constant((0.0, 1.0, 0.0), device).expand_as(along)
    across = F.normalize(torch.linalg.cross(over, along), dim=-1)
    over = torch.linalg.cross(along, across)
    in_bone = local[:, :1] * across + local[:, 1:2] * over + local[:, 2:] * along
    origin = along * (bones.length[:, index] * share)[..., None]
    # rotation and translation bring palm points into the bone's frame.
    palm_from_bone = bones.rotation[:, index].transpose(2, 3)
    with autocast_disabled(origin):
        start = palm_from_bone @ (origin - bones.translation[:, index])[..., None]
        return start[..., 0], (palm_from_bone @ in_bone[..., None])[..., 0]
