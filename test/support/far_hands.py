"""Keypoints of hands whose bones and conventions lie far outside of what training draws."""

from __future__ import annotations

import torch
from torch import Tensor

from im2hands_ros.skeleton import BONES
from im2hands_ros.synthetic.convention import vary_convention
from im2hands_ros.synthetic.hand import BakedHand

SIZES = (0.7, 1.3)  # of the whole hand
STRETCHES = (0.6, 1.4)  # of every bone by itself
CAMERA_DISTANCE = 0.5


def far_hands(count: int, seed: int = 0) -> Tensor:
    """(count, 21, 3) joints of right hands, MANO order, metres, camera frame.

    Any pose within the joints' limits; twice the largest difference between conventions.
    """
    generator = torch.Generator().manual_seed(seed)
    hand = BakedHand.load()
    low, high = hand.pose_limits
    pose = low + (high - low) * torch.rand(count, hand.pose_dims, generator=generator)
    shape = 2 * torch.randn(count, hand.shape_dims, generator=generator)
    joints = hand.rest_frame_keypoints(pose, shape)
    joints = _stretched(joints, generator)
    joints = joints + 2 * (vary_convention(joints, generator) - joints)
    joints = joints * _between(SIZES, (count, 1, 1), generator)
    turned = joints @ torch.linalg.qr(torch.randn(count, 3, 3, generator=generator)).Q
    return turned - turned[:, 9:10] + torch.tensor([0.0, 0.0, CAMERA_DISTANCE])


def _stretched(joints: Tensor, generator: torch.Generator) -> Tensor:
    """The same directions with other lengths, from the wrist outwards."""
    stretched = joints.clone()
    for start, end in BONES:
        factor = _between(STRETCHES, (len(joints), 1), generator)
        bone = factor * (joints[:, end] - joints[:, start])
        stretched[:, end] = stretched[:, start] + bone
    return stretched


def _between(
    limits: tuple[float, float], size: tuple[int, ...], generator: torch.Generator
) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(size, generator=generator)
