"""Articulated decoder: one small network per bone, all bones in one batched matrix product.

Each bone's network maps the query point, in the bone's own straightened frame, to its depth inside
of the bone's flesh; the hand is the union of its bones (NASA, ECCV 2020; HALO, section 3.3). A
capsule around each bone is the initialisation, so the networks only learn what flesh adds, and a
point is evaluated only in the bones nearest to it. A thin capsule around each bone is the least
that its network can say, so that a hand is one piece through all of its joints.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.constants import constant, indices
from im2hands_ros.networks.compact.bone_blocks import group_by_bone
from im2hands_ros.networks.compact.bone_geometry import (
    ENDS,
    SLOT_COUNT,
    STARTS,
    BoneGeometry,
    bone_geometry,
)
from im2hands_ros.networks.compact.presets import DecoderPreset
from im2hands_ros.precision import autocast_disabled

# Capsule radii in metres that training starts from, per slot.
_START_RADII = (
    *(0.0095, 0.0085, 0.0075) * 2,
    *(0.0085, 0.0075, 0.0065),
    *(0.0095, 0.0085, 0.0075),
    *(0.014, 0.011, 0.009),
    *(0.014, 0.014, 0.014, 0.013, 0.012),
)
# Distances between joints that posing leaves (nearly) as they are determine most of a hand's shape:
# the bones' lengths, and those among the knuckles. First and last joint of each, and the mean, in
# millimetres, which is subtracted so that small differences count.
_KNUCKLES = (1, 5, 9, 13, 17)
_KNUCKLE_PAIRS = tuple((a, b) for a in _KNUCKLES for b in _KNUCKLES if a < b)
_DISTANCE_STARTS = (*STARTS, *(a for a, _ in _KNUCKLE_PAIRS))
_DISTANCE_ENDS = (*ENDS, *(b for _, b in _KNUCKLE_PAIRS))
_MEAN_DISTANCES = (
    *(24, 22, 24, 31, 27, 23, 19, 15, 18, 27, 23, 23, 31, 36, 25),
    *(37, 99, 93, 90, 87),
    *(64, 64, 68, 72, 26, 46, 65, 21, 40, 20),
)
_DISTANCE_UNIT, _DISTANCE_REACH = 0.004, 8.0
LENGTH_UNIT = 0.02
# One logit of occupancy is this many metres of depth; it is also the softness of the union.
DEPTH_UNIT = 0.001
_SHAPE_UNIT = 0.05
# Metres by which a bone is nearer to points within its thin capsule: any capsule is thinner.
_ON_AXIS = 0.1
# Which of a bone's inputs says how far along it a point lies.
_SHARE = 4


class BoneSlots(NamedTuple):
    """The decoder's inputs that are constant over the query points of H hands.

    Attributes:
        geometry: of the bones.
        first_bias, second_bias: (H, S, width) what pose and shape add to the first two layers.
    """

    geometry: BoneGeometry
    first_bias: Tensor
    second_bias: Tensor


class ArticulatedDecoder(nn.Module):
    """Occupancy logits of points from bone-local coordinates and image features."""

    frequencies: Tensor

    def __init__(self, preset: DecoderPreset, image_width: int) -> None:
        super().__init__()
        width, slots = preset.width, SLOT_COUNT
        self.nearest = preset.nearest_bones
        coordinate_width = 3 * (1 + 2 * len(preset.frequencies)) + 2
        self.code = nn.Sequential(
            nn.Linear(60 + len(_MEAN_DISTANCES), preset.code_hidden),
            nn.ReLU(),
            nn.Linear(preset.code_hidden, preset.code_width),
            nn.ReLU(),
        )
        # Supervised in training, so that the code holds the shape as far as joints determine it.
        self.shape_head = nn.Linear(preset.code_width, preset.shape_width)
        self.code_to_bias = nn.Linear(preset.code_width, slots * 2 * width)
        self.first = _slot_weight(slots, coordinate_width, width)
        self.second = _slot_weight(slots, width, width)
        self.third = _slot_weight(slots, width, width)
        self.fourth = _slot_weight(slots, width, width)
        self.third_bias = nn.Parameter(torch.zeros(slots, 1, width))
        self.fourth_bias = nn.Parameter(torch.zeros(slots, 1, width))
        # Starts at zero, so that a decoder trained on keypoints alone goes on as it was.
        self.image = nn.Parameter(torch.zeros(slots, image_width, width))
        self.last = nn.Parameter(torch.zeros(slots, width, 1))
        self.radius = nn.Parameter(torch.tensor(_START_RADII) / LENGTH_UNIT)
        self.register_buffer("frequencies", torch.tensor(preset.frequencies), persistent=False)

    def bones(self, hands: CanonicalHands) -> BoneSlots:
        """Everything about the bones of H hands that does not depend on query points."""
        biases = self.code_to_bias(self.hand_code(hands)).unflatten(-1, (SLOT_COUNT, 2, -1))
        return BoneSlots(bone_geometry(hands), *biases.unbind(2))

    def hand_code(self, hands: CanonicalHands) -> Tensor:
        """(H, code_width) float32: pose and shape of H hands, by their joints."""
        # A tenth of a millimetre counts, which half precision would round away.
        with autocast_disabled(hands.joints_palm):
            return self.code(self.code_inputs(hands))

    def code_inputs(self, hands: CanonicalHands) -> Tensor:
        """(H, inputs) float32: joints, and how distances between them differ from the mean."""
        joints = hands.joints_palm
        ends, starts = (indices(it, joints.device) for it in (_DISTANCE_ENDS, _DISTANCE_STARTS))
        between = joints[:, ends] - joints[:, starts]
        mean = constant(_MEAN_DISTANCES, joints.device) * 1e-3
        deviation = (between.norm(dim=-1) - mean) / _DISTANCE_UNIT
        deviation = deviation.clamp(-_DISTANCE_REACH, _DISTANCE_REACH)
        return torch.cat([joints[:, 1:].flatten(1) / _SHAPE_UNIT, deviation], dim=1)

    def forward(self, points_palm: Tensor, bones: BoneSlots, image: Tensor | None) -> Tensor:
        """Occupancy logits.

        Args:
            points_palm: (H, N, 3) query points in each hand's palm frame, metres.
            bones: of the same H hands.
            image: (H, N, image_width) image features of the points, or None for none.

        Returns:
            (H, N) float32 logits; one logit is about one millimetre of depth.
        """
        bone = self._nearest(points_palm, bones.geometry)  # (H, K, N)
        hands, _, count = bone.shape
        hand = torch.arange(hands, device=bone.device)[:, None, None]
        blocks = group_by_bone((hand * SLOT_COUNT + bone).flatten(), hands * SLOT_COUNT)
        point = hand * count + torch.arange(count, device=bone.device)
        point = point.expand_as(bone).flatten().index_select(0, blocks.pair_of_row)
        points = blocks.gather(points_palm.flatten(0, 1), point)
        if image is not None:
            image = blocks.gather(image.flatten(0, 1), point)
        depth = blocks.scatter(self._depth(points, bones, image, blocks.bone_of_block))
        return depth.view_as(bone).logsumexp(dim=1)

    def _nearest(self, points_palm: Tensor, bones: BoneGeometry) -> Tensor:
        """(H, K, N) numbers of the bones whose capsules are nearest to (H, N, 3) points.

        Squares of distances are expanded into products: distances are right to a micrometre.
        """
        with autocast_disabled(points_palm), torch.no_grad():
            points = points_palm.float().transpose(1, 2)
            axis, shift = bones.frame[:, :, 3], bones.offset[:, :, 3:]
            reached = torch.baddbmm(shift, axis, points)
            start2 = bones.start.square().sum(-1, keepdim=True)
            distance2 = torch.baddbmm(start2, bones.start, points, alpha=-2)
            distance2 += points.square().sum(1, keepdim=True)
            along = reached.clamp_min(0).minimum(bones.length[:, :, None])
            distance2 += along * (along - 2 * reached)
            distance = distance2.clamp_min_(0).sqrt_()
            depth = self.radius[:, None] * LENGTH_UNIT - distance
            # A thin bone in the midst of thick ones counts where it is the least that there is.
            depth = torch.where(distance < bones.floor[:, :, :1], depth + _ON_AXIS, depth)
            return depth.topk(self.nearest, dim=1, sorted=False).indices

    def _depth(
        self, points: Tensor, bones: BoneSlots, image: Tensor | None, slot: Tensor
    ) -> Tensor:
        """Depth (T, B), in ``DEPTH_UNIT``, of blocks of palm-frame points (T, B, 3) in a bone each.

        image: (T, B, image_width) or None; slot: (T,) hand and bone of the blocks.
        """
        bone = slot % SLOT_COUNT
        # The first product stays in float32: half precision would round coordinates to 0.1 mm.
        with autocast_disabled(points):
            features, distance = self._coordinate_features(points.float(), bones.geometry, slot)
            start, end = bones.geometry.floor.flatten(0, 1)[slot, :, None].unbind(1)
            floor = torch.lerp(start, end, features[:, _SHARE]) - distance
            bias = bones.first_bias.float().flatten(0, 1)[slot, None]
            x = torch.baddbmm(bias, features.transpose(1, 2), self.first[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        bias = bones.second_bias.flatten(0, 1)[slot, None]
        x = torch.baddbmm(bias, x, self._residual(self.second)[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        x = torch.baddbmm(self.third_bias[bone], x, self._residual(self.third)[bone])
        if image is not None:
            x = torch.baddbmm(x, image, self.image[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        x = torch.baddbmm(self.fourth_bias[bone], x, self._residual(self.fourth)[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        flesh = (x @ self.last[bone])[..., 0].float()
        radius = self.radius[bone, None] * LENGTH_UNIT
        return ((radius - distance) / DEPTH_UNIT + flesh).maximum(floor / DEPTH_UNIT)

    def _residual(self, weight: Tensor) -> Tensor:
        """x @ weight + x as one product."""
        return weight + torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)

    def _coordinate_features(
        self, points: Tensor, bones: BoneGeometry, slot: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Network inputs (T, C, B) of palm-frame points (T, B, 3), and their distance (T, B) to
        the bones, metres."""
        frame, offset, direction = (
            value.flatten(0, 1)[slot] for value in (bones.frame, bones.offset, bones.direction)
        )
        length = bones.length.flatten()[slot, None, None]
        mapped = torch.baddbmm(offset[..., None], frame, points.transpose(1, 2))
        local, along = mapped[:, :3], mapped[:, 3:].clamp_min(0).minimum(length)
        from_axis = local - along * direction[..., None]
        distance = (from_axis.square().sum(1, keepdim=True) + 1e-12).sqrt()
        scaled = local / LENGTH_UNIT
        waves = (scaled[:, None] * self.frequencies[:, None, None]).flatten(1, 2)
        share = along / length.clamp_min(1e-4)
        inputs = [scaled, distance / LENGTH_UNIT, share, waves.sin(), waves.cos()]
        return torch.cat(inputs, dim=1), distance[:, 0]


def _slot_weight(slots: int, inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(slots, inputs, outputs) * math.sqrt(1.0 / inputs))
