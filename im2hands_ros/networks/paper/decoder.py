"""The published articulated decoder: 16 small networks, one per bone slot (HALO, 3DV 2021, 3.3).

All bones are evaluated in one batched product. What is constant over a hand's points (its pose
and shape codes, the map into each bone's frame) is folded into the first layer once per frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import BONE_SLOT_COUNT, BOX_SCALE, CanonicalHands
from im2hands_ros.networks.paper.presets import PaperDecoderPreset
from im2hands_ros.networks.paper.vector_attention import multiplied_in

_SLOPE = 0.1
# Points evaluated at once: what a CPU core's cache holds of 16 bones, and what fills a GPU.
_CHUNKS = {"cpu": 192}
_CHUNK = 16384


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

    def residual(self) -> Tensor:
        """(16, width, width) the layer with its input added, as one product from the right."""
        width = self.weight.shape[1]
        identity = torch.eye(width, dtype=self.weight.dtype, device=self.weight.device)
        return (self.weight[..., :width] + identity).transpose(1, 2)


class PaperDecoder(nn.Module):
    """Occupancy logits of one side's hands: maximum over the bones.

    Attributes:
        image_width: features of the image that it takes with each point.
        native: what evaluates points in place of torch, if anything.
    """

    native: Callable[[Tensor, PaperBones, Tensor], Tensor] | None = None

    def __init__(self, preset: PaperDecoderPreset, image_width: int) -> None:
        super().__init__()
        self.image_width = image_width
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

    @torch.no_grad()
    def forward(self, points_palm: Tensor, bones: PaperBones, image: Tensor) -> Tensor:
        """Logits (H, N) of (H, N, 3) palm-frame points (metres) with (H, N, C) image features.

        For inference only.
        """
        if self.native and multiplied_in(self.second.weight) is torch.float32:
            return self.native(points_palm, bones, image)
        layers = self.layers()
        size = _CHUNKS.get(points_palm.device.type, _CHUNK)
        work = layers.second.new_empty(2, BONE_SLOT_COUNT * size * layers.second.shape[-1])
        logits = points_palm.new_empty(points_palm.shape[:2])
        for hand, points in enumerate(F.pad(points_palm, (0, 1), value=1.0)):
            first = torch.cat([bones.weight[hand], bones.bias[hand]], dim=1)
            features = F.pad(image[hand], (0, 1), value=1.0).to(work.dtype)
            for start in range(0, len(points), size):
                part = slice(start, start + size)
                logits[hand, part] = _evaluate(points[part], features[part], first, layers, work)
        return logits

    def layers(self) -> PaperLayers:
        """All layers but the first, in the dtype to multiply in."""
        of_image = self.third.weight[..., -self.image_width :]
        of_image = torch.cat([of_image, self.third.bias[..., None]], dim=-1)
        layers = (
            self.second.residual(),
            self.second.bias[:, None],
            self.third.residual(),
            of_image.transpose(1, 2),
            self.fourth.residual(),
            self.fourth.bias[:, None],
            self.last.weight.transpose(1, 2),
            self.last.bias[:, None],
        )
        kind = multiplied_in(self.second.weight)
        return PaperLayers(*(layer.to(kind).contiguous() for layer in layers))


class PaperLayers(NamedTuple):
    """Layers of all bones, to multiply with from the right; third_image's last row is a bias."""

    second: Tensor
    second_bias: Tensor
    third: Tensor
    third_image: Tensor
    fourth: Tensor
    fourth_bias: Tensor
    last: Tensor
    last_bias: Tensor


def _evaluate(
    points: Tensor, image: Tensor, first: Tensor, layers: PaperLayers, work: Tensor
) -> Tensor:
    """(N,) logits of (N, 4) points and (N, C) image features, both with a one at the end."""
    count, width = len(points), first.shape[-1]
    x, y = work[:, : BONE_SLOT_COUNT * count * width].unflatten(1, (-1, count, width))
    # Positions need all their digits, whatever the dtype of the rest.
    hidden = x if x.dtype == points.dtype else points.new_empty(x.shape)
    torch.bmm(points.expand(BONE_SLOT_COUNT, -1, -1), first, out=hidden)
    F.leaky_relu_(x if hidden is x else x.copy_(hidden), _SLOPE)
    F.leaky_relu_(y.copy_(layers.second_bias).baddbmm_(x, layers.second), _SLOPE)
    torch.bmm(image.expand(BONE_SLOT_COUNT, -1, -1), layers.third_image, out=x)
    F.leaky_relu_(x.baddbmm_(y, layers.third), _SLOPE)
    F.leaky_relu_(y.copy_(layers.fourth_bias).baddbmm_(x, layers.fourth), _SLOPE)
    return torch.baddbmm(layers.last_bias, y, layers.last).amax(0)[:, 0]
