"""Initial occupancy: per-hand articulated occupancy with query-image attention (Im2Hands, 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands, mirror
from im2hands_ros.networks.attention import QueryImageAttention, TokenMemory
from im2hands_ros.networks.compact.articulated_decoder import ArticulatedDecoder, BoneSlots
from im2hands_ros.networks.compact.image_encoder import ImageEncoder, ImageFeatures
from im2hands_ros.networks.compact.presets import InitialPreset
from im2hands_ros.networks.protocol import HandContext
from im2hands_ros.precision import autocast_disabled

# Metres per unit of the query's wrist-relative position.
POSITION_UNIT = 0.1
_POSITION_WIDTH = 3 + 2 + 1


class ImageMemory(NamedTuple):
    """What query points read of B crops, whichever hands are in them.

    Attributes:
        pixels: (B, C, h, w) image features.
        tokens: attention keys and values.
    """

    pixels: Tensor
    tokens: TokenMemory


@dataclass(frozen=True, eq=False)
class InitialContext(HandContext):
    """What the network computes of H hands before the first query point.

    Attributes:
        network: that evaluates the query points.
        bones: decoder inputs that are constant over points.
        pixels: (H, C, h, w) image features of each hand's crop.
        memory: attention keys and values of each hand's crop.
        intrinsics: (H, 3, 3) of the crops, pixels.
    """

    network: InitialOccupancy
    bones: BoneSlots
    pixels: Tensor
    memory: TokenMemory
    intrinsics: Tensor

    def logits(self, points_palm: Tensor) -> Tensor:
        return self.network(points_palm, self)

    def logits_around(self, points_palm: Tensor, step: float) -> Tensor:
        return self.network.around(points_palm, self, step)


class InitialOccupancy(nn.Module):
    """Occupancy of each hand from one crop and its keypoints. Both hands share all weights.

    Left hands are mirrored in 3D; which side a hand is enters as one input of the query token,
    because the image is not mirrored. The depth origin is the wrist, so logits do not depend on the
    order of the queries (the published network uses the first query's depth).
    """

    def __init__(self, preset: InitialPreset) -> None:
        super().__init__()
        self.preset = preset
        encoder, attention = preset.encoder, preset.attention
        self.image_size = encoder.image_size
        self.encoder = ImageEncoder(encoder)
        self.query = nn.Sequential(
            nn.Linear(encoder.feature_width + _POSITION_WIDTH, attention.query_width),
            nn.ReLU(),
            nn.Linear(attention.query_width, attention.query_width),
        )
        self.attention = QueryImageAttention(
            image_width=encoder.stage_widths[-1],
            token_count=(encoder.image_size // 32) ** 2,
            token_width=attention.token_width,
            query_width=attention.query_width,
            heads=attention.heads,
        )
        self.decoder = ArticulatedDecoder(preset.decoder, attention.query_width)

    def context(
        self,
        features: ImageFeatures,
        image_index: Tensor,
        intrinsics: Tensor,
        hands: CanonicalHands,
    ) -> InitialContext:
        """Bind H hands to their crops' features; once per frame.

        Args:
            features: of B crops. The others: as ``bind`` takes them.
        """
        return self.bind(self.image_memory(features), image_index, intrinsics, hands)

    def image_memory(self, features: ImageFeatures) -> ImageMemory:
        """What does not depend on the hands."""
        return ImageMemory(features.pixels, self.attention.precompute(features.context))

    def bind(
        self,
        image: ImageMemory,
        image_index: Tensor,
        intrinsics: Tensor,
        hands: CanonicalHands,
    ) -> InitialContext:
        """Bind H hands to their crops.

        Args:
            image: of B crops.
            image_index: (H,) which crop each hand is in.
            intrinsics: (H, 3, 3) of those crops, pixels.
            hands: canonical frames of the H hands.
        """
        keys, values = (_of_crops(part, image_index) for part in image.tokens)
        pixels, bones = _of_crops(image.pixels, image_index), self.decoder.bones(hands)
        return InitialContext(hands, self, bones, pixels, TokenMemory(keys, values), intrinsics)

    def forward(
        self, points_palm: Tensor, context: InitialContext, use_image: bool = True
    ) -> Tensor:
        """Occupancy logits of (H, N, 3) palm-frame points (metres): (H, N) float32."""
        image = self._image_features(points_palm, context) if use_image else None
        return self.decoder(points_palm, context.bones, image)

    def around(self, points_palm: Tensor, context: InitialContext, step: float) -> Tensor:
        """(H, N, 4) logits of (H, N, 3) points and of those moved by a step (metres) along each
        axis; the image's features are the point's for all four."""
        image = self._image_features(points_palm, context).repeat_interleave(4, dim=1)
        moves = step * torch.eye(4, 3, device=points_palm.device).roll(1, 0)
        moved = (points_palm[:, :, None] + moves).flatten(1, 2)
        return self.decoder(moved, context.bones, image).unflatten(1, (-1, 4))

    def sample(self, points_camera: Tensor, context: InitialContext) -> Tensor:
        """(H, N, C) image features where (H, N, 3) camera-frame points project to."""
        return _sample(context.pixels, self._crop_coordinates(points_camera, context.intrinsics))

    def _image_features(self, points_palm: Tensor, context: InitialContext) -> Tensor:
        hands = context.hands
        points = hands.camera_from_palm(points_palm)
        grid = self._crop_coordinates(points, context.intrinsics)
        sampled = _sample(context.pixels, grid)
        relative = (mirror(points, hands.mirrored) - hands.wrist[:, None]) / POSITION_UNIT
        side = torch.where(hands.mirrored, 1.0, -1.0)[:, None, None].expand(*grid.shape[:2], 1)
        query = torch.cat([sampled, relative, grid, side.to(sampled.dtype)], dim=-1)
        return self.attention(self.query(query), context.memory)

    def _crop_coordinates(self, points_camera: Tensor, intrinsics: Tensor) -> Tensor:
        """(H, N, 2) crop positions in [-1, 1] (pixel edges), clamped a little outside the crop."""
        with autocast_disabled(points_camera):
            projected = points_camera @ intrinsics.transpose(1, 2)
        pixel = projected[..., :2] / projected[..., 2:].clamp_min(1e-3)
        return ((2 * pixel + 1) / self.image_size - 1).clamp(-2, 2)


def _of_crops(values: Tensor, index: Tensor) -> Tensor:
    """(H, ...) of values (B, ...): each hand's crop is named by the index; one is not copied."""
    return values.expand(len(index), *values.shape[1:]) if len(values) == 1 else values[index]


def _sample(pixels: Tensor, grid: Tensor) -> Tensor:
    """(H, N, C) features of (H, C, h, w) maps at (H, N, 2) positions in [-1, 1]."""
    sampled = F.grid_sample(
        pixels.float(), grid[:, :, None], padding_mode="border", align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)
