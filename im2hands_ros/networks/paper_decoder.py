"""The published articulated decoder: 16 small networks, one per bone slot (HALO, 3DV 2021, 3.3).

All bones are evaluated in one batched product. What is constant over a hand's points (its pose
and shape codes, the map into each bone's frame) is folded into the first layer once per frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import BONE_SLOT_COUNT, BOX_SCALE, CanonicalHands
from im2hands_ros.networks.presets import PaperDecoderPreset

_SLOPE = 0.1


class PaperBones(NamedTuple):
    """The decoder's first layer, specialised to H hands.

    Attributes:
        weight: (H, 16, 3, width): applied to palm-frame points in metres.
        bias: (H, 16, 1, width).
    """

    weight: Tensor
    bias: Tensor


class BoneLinear(nn.Module):
    """A linear layer for each of the 16 bone slots."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        limit = math.sqrt(6 / (inputs + outputs))
        weight = torch.empty(BONE_SLOT_COUNT, outputs, inputs).uniform_(-limit, limit)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.full((BONE_SLOT_COUNT, outputs), 0.01))

    def residual(self, x: Tensor) -> Tensor:
        """(16, N, width) to (16, N, width), x added, as one product."""
        width = self.weight.shape[1]
        identity = torch.eye(width, dtype=self.weight.dtype, device=self.weight.device)
        weight = self.weight[..., :width] + identity
        return torch.baddbmm(self.bias[:, None], x, weight.transpose(1, 2))


class PaperDecoder(nn.Module):
    """Occupancy logits of one side's hands: maximum over the bones."""

    def __init__(self, preset: PaperDecoderPreset, image_width: int) -> None:
        super().__init__()
        width, shape_width, pose_width = preset.width, preset.shape_width, preset.pose_width
        self.shape_first = nn.Linear(BONE_SLOT_COUNT, preset.shape_hidden)
        self.shape_second = nn.Linear(preset.shape_hidden, shape_width)
        self.pose = BoneLinear(3 * BONE_SLOT_COUNT, pose_width)
        self.first = BoneLinear(3 + 1 + shape_width + pose_width, width)
        self.second = BoneLinear(width, width)
        self.third = BoneLinear(width + image_width, width)
        self.fourth = BoneLinear(width, width)
        self.last = BoneLinear(width, 1)

    def bones(self, hands: CanonicalHands) -> PaperBones:
        """Fold everything constant over the points of H hands into the first layer."""
        rotation, offset = hands.bone_from_palm[..., :3], hands.bone_from_palm[..., 3] / BOX_SCALE
        lengths = hands.bone_lengths
        shape = self.shape_second(F.relu(self.shape_first(lengths)))
        pose = torch.einsum("boi,hi->hbo", self.pose.weight, offset.flatten(1)) + self.pose.bias
        shape = shape[:, None].expand(-1, BONE_SLOT_COUNT, -1)
        constant = torch.cat([offset, lengths[..., None], shape, pose], dim=-1)
        bias = torch.einsum("boi,hbi->hbo", self.first.weight, constant) + self.first.bias
        weight = self.first.weight[..., :3] @ rotation / BOX_SCALE
        return PaperBones(weight.transpose(2, 3), bias[:, :, None])

    def forward(self, points_palm: Tensor, bones: PaperBones, image: Tensor) -> Tensor:
        """Logits (H, N) of (H, N, 3) palm-frame points (metres) with (H, N, C) image features."""
        x = F.leaky_relu(points_palm[:, None] @ bones.weight + bones.bias, _SLOPE)
        # Bones first: all hands of the batch share the further layers.
        x = x.transpose(0, 1).flatten(1, 2)
        x = F.leaky_relu(self.second.residual(x), _SLOPE)
        seen = image.flatten(0, 1).expand(BONE_SLOT_COUNT, -1, -1)
        from_image = self.third.weight[..., -image.shape[-1] :].transpose(1, 2)
        x = F.leaky_relu(torch.baddbmm(self.third.residual(x), seen, from_image), _SLOPE)
        x = F.leaky_relu(self.fourth.residual(x), _SLOPE)
        logits = torch.baddbmm(self.last.bias[:, None], x, self.last.weight.transpose(1, 2))
        return logits.amax(0).view(points_palm.shape[:2])
