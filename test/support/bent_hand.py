"""Poses of the packaged hand from angles in degrees."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from im2hands_ros.synthetic.hand import BakedHand


def pose_from_degrees(hand: BakedHand, angles: Mapping[str, float | tuple[float, ...]]) -> Tensor:
    """(60,) pose from degrees `{"index_mcp": flexion}` or `{...: (flexion, twist, spread)}`."""
    pose = torch.zeros(len(hand.joint_names), 3)
    for name, angle in angles.items():
        row = angle if isinstance(angle, tuple) else (angle,)
        pose[hand.joint(name), : len(row)] = torch.tensor(row, dtype=torch.float32)
    return (pose * (math.pi / 180)).reshape(-1)
