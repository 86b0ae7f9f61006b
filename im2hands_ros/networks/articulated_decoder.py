"""Articulated decoder: one small network per bone, all bones in one batched matrix product.

Each bone sees the query point in its own straightened frame and answers how deep inside the bone's
flesh the point lies; the hand is the union of its bones (NASA, ECCV 2020; HALO, section 3.3).
A capsule around each bone is the starting guess, so the networks only learn what flesh adds, and
a point is shown only to the bones nearest to it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.exactly import exactly
from im2hands_ros.networks.bone_blocks import group_by_bone
from im2hands_ros.networks.presets import DecoderPreset

# The 15 finger bones in the published order (index, middle, pinky, ring, thumb), then the five
# metacarpals, thumb to pinky: five rigid pieces follow a bending palm, the published one cannot.
SLOT_COUNT = 20
_FINGER_BASES = (5, 9, 17, 13, 1)
_STARTS = (*(base + level for base in _FINGER_BASES for level in range(3)), 0, 0, 0, 0, 0)
_ENDS = (*(base + level + 1 for base in _FINGER_BASES for level in range(3)), 1, 5, 9, 13, 17)
# Capsule radii in metres that training starts from, per slot.
_START_RADII = (
    *(0.0095, 0.0085, 0.0075) * 2,
    *(0.0085, 0.0075, 0.0065),
    *(0.0095, 0.0085, 0.0075),
    *(0.014, 0.011, 0.009),
    *(0.014, 0.014, 0.014, 0.013, 0.012),
)
_LENGTH_UNIT = 0.02
# One logit of occupancy is this many metres of depth; it is also the softness of the union.
DEPTH_UNIT = 0.001
_SHAPE_UNIT = 0.05


class BoneGeometry(NamedTuple):
    """Bones of H hands, each in a frame of its own whose origin is the bone's start.

    Attributes:
        rotation: (H, S, 3, 3) and
        translation: (H, S, 3): point in the bone's frame = rotation @ point_palm + translation,
            metres.
        direction: (H, S, 3) unit vector of the bone in its own frame.
        length: (H, S) metres.
    """

    rotation: Tensor
    translation: Tensor
    direction: Tensor
    length: Tensor


class BoneSlots(NamedTuple):
    """Bones of H hands as the decoder sees them; all constant over the query points.

    Attributes:
        rotation, translation, direction, length: as in ``BoneGeometry``.
        first_bias, second_bias: (H, S, width) what pose and shape add to the first two layers.
    """

    rotation: Tensor
    translation: Tensor
    direction: Tensor
    length: Tensor
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
            nn.Linear(60 + slots, preset.code_width),
            nn.ReLU(),
            nn.Linear(preset.code_width, preset.code_width),
            nn.ReLU(),
        )
        self.code_to_bias = nn.Linear(preset.code_width, slots * 2 * width)
        self.first = _slot_weight(slots, coordinate_width, width)
        self.second = _slot_weight(slots, width, width)
        self.third = _slot_weight(slots, width, width)
        self.fourth = _slot_weight(slots, width, width)
        self.third_bias = nn.Parameter(torch.zeros(slots, 1, width))
        self.fourth_bias = nn.Parameter(torch.zeros(slots, 1, width))
        # Starts at zero, so that a decoder trained on keypoints alone is not disturbed.
        self.image = nn.Parameter(torch.zeros(slots, image_width, width))
        self.last = nn.Parameter(torch.zeros(slots, width, 1))
        self.radius = nn.Parameter(torch.tensor(_START_RADII) / _LENGTH_UNIT)
        self.register_buffer("frequencies", torch.tensor(preset.frequencies), persistent=False)

    def bones(self, hands: CanonicalHands) -> BoneSlots:
        """Everything about the bones of H hands that does not depend on query points."""
        geometry = bone_geometry(hands)
        joints = hands.joints_palm[:, 1:].flatten(1)
        shape = torch.cat([joints, geometry.length], dim=1) / _SHAPE_UNIT
        biases = self.code_to_bias(self.code(shape)).unflatten(-1, (SLOT_COUNT, 2, -1))
        return BoneSlots(*geometry, *biases.unbind(2))

    def forward(self, points_palm: Tensor, bones: BoneSlots, image: Tensor | None) -> Tensor:
        """Occupancy logits.

        Args:
            points_palm: (H, N, 3) query points in each hand's palm frame, metres.
            bones: of the same H hands.
            image: (H, N, image_width) image features of the points, or None for none.

        Returns:
            (H, N) float32 logits; one logit is about one millimetre of depth.
        """
        local, along, distance = _bone_coordinates(points_palm, bones)
        radius = self.radius[:, None] * _LENGTH_UNIT
        capsule, bone = (radius - distance).topk(self.nearest, dim=1)  # (H, K, N)
        hand = torch.arange(len(bone), device=bone.device)[:, None, None]
        point = torch.arange(bone.shape[2], device=bone.device)
        slot_of_pair = (hand * SLOT_COUNT + bone).flatten()
        point_of_pair = (hand * bone.shape[2] + point).expand_as(bone).flatten()
        coordinate_of_pair = (hand * SLOT_COUNT + bone) * bone.shape[2] + point

        blocks = group_by_bone(bone.flatten(), SLOT_COUNT)
        coordinates = torch.cat([local, distance[..., None], along[..., None]], dim=-1)
        x = blocks.gather(coordinates.flatten(0, 2), coordinate_of_pair.flatten())
        first_bias = blocks.gather(bones.first_bias.flatten(0, 1), slot_of_pair)
        second_bias = blocks.gather(bones.second_bias.flatten(0, 1), slot_of_pair)
        if image is not None:
            image = blocks.gather(image.flatten(0, 1), point_of_pair)
        flesh = self._flesh(x, first_bias, second_bias, image, blocks.bone_of_block)
        depth = capsule / DEPTH_UNIT + blocks.scatter(flesh).view_as(capsule)
        return depth.logsumexp(dim=1)

    def _flesh(
        self, x: Tensor, first_bias: Tensor, second_bias: Tensor, image: Tensor | None, bone: Tensor
    ) -> Tensor:
        """Depth (T, BLOCK) that flesh adds to the capsules, from blocks of coordinates."""
        # The first product stays in float32: half precision would round coordinates to 0.1 mm.
        with exactly(x):
            features = self._coordinate_features(x.float())
            x = torch.baddbmm(first_bias.float(), features, self.first[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        x = torch.baddbmm(second_bias, x, self._residual(self.second)[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        x = torch.baddbmm(self.third_bias[bone], x, self._residual(self.third)[bone])
        if image is not None:
            x = torch.baddbmm(x, image, self.image[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        x = torch.baddbmm(self.fourth_bias[bone], x, self._residual(self.fourth)[bone])
        x = F.leaky_relu(x, 0.1, inplace=True)
        return (x @ self.last[bone])[..., 0].float()

    def _residual(self, weight: Tensor) -> Tensor:
        """x @ weight + x as one product."""
        return weight + torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)

    def _coordinate_features(self, coordinates: Tensor) -> Tensor:
        """(T, BLOCK, 5) position, distance and share along the bone to network inputs."""
        local = coordinates[..., :3] / _LENGTH_UNIT
        waves = (local[..., None, :] * self.frequencies[:, None]).flatten(-2)
        rest = torch.cat([coordinates[..., 3:4] / _LENGTH_UNIT, coordinates[..., 4:]], dim=-1)
        return torch.cat([local, rest, waves.sin(), waves.cos()], dim=-1)


def bone_geometry(hands: CanonicalHands) -> BoneGeometry:
    """The frames of the ``SLOT_COUNT`` bones of H hands."""
    transforms = torch.cat([hands.bone_from_palm[:, 1:], hands.metacarpal_from_palm], dim=1)
    lengths = torch.cat([hands.bone_lengths[:, 1:], hands.metacarpal_lengths], dim=1)
    rotation = transforms[..., :3]
    start, end = (hands.joints_palm[:, list(ends)] for ends in (_STARTS, _ENDS))
    with exactly(rotation):
        vector = (rotation @ (end - start)[..., None])[..., 0]
        translation = -(rotation @ start[..., None])[..., 0]
    direction = vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return BoneGeometry(rotation, translation, direction, lengths)


def _bone_coordinates(points_palm: Tensor, bones: BoneSlots) -> tuple[Tensor, Tensor, Tensor]:
    """Bone-frame position (H, S, N, 3), share along the bone and distance to it (H, S, N)."""
    with exactly(points_palm):
        points = points_palm[:, None].float() @ bones.rotation.transpose(2, 3)
        local = points + bones.translation[:, :, None]
        along = (local @ bones.direction[..., None])[..., 0]
    length = bones.length[:, :, None]
    along = along.clamp_min(0).minimum(length)
    from_axis = local - along[..., None] * bones.direction[:, :, None]
    distance = (from_axis.square().sum(-1) + 1e-12).sqrt()
    return local, along / length.clamp_min(1e-4), distance


def _slot_weight(slots: int, inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(slots, inputs, outputs) * math.sqrt(1.0 / inputs))
