"""The published initial occupancy network: left and right decoders with image attention.

Im2Hands, section 3.2. Published dropout (0.01) is left out: it does nothing at inference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.networks.attention import QueryImageAttention, TokenMemory
from im2hands_ros.networks.paper.decoder import PaperBones, PaperDecoder
from im2hands_ros.networks.paper.image_encoder import IMAGE_SIZE, PaperFeatures, PaperImageEncoder
from im2hands_ros.networks.paper.presets import PaperInitialPreset
from im2hands_ros.networks.protocol import HandContext, take
from im2hands_ros.skeleton import SIDES

_FEATURE_SIZE = IMAGE_SIZE // 4


@dataclass(frozen=True, eq=False)
class PaperInitialContext(HandContext):
    """What the network computes of H hands before the first query point.

    Attributes:
        network: that evaluates the query points.
        sides: (H) names, which set of weights each hand has.
        bones: first layers of their decoders.
        memory: attention keys and values of each hand's crop, by its own side's weights.
        intrinsics: (H, 3, 3) of the crops, pixels.
    """

    network: PaperInitialOccupancy
    sides: tuple[str, ...]
    bones: PaperBones
    memory: TokenMemory
    intrinsics: Tensor

    def logits(self, points_palm: Tensor) -> Tensor:
        return self.network(points_palm, self)


class PaperInitialOccupancy(nn.Module):
    """Occupancy of each hand from one crop and its keypoints; weights of its own per side."""

    def __init__(self, preset: PaperInitialPreset) -> None:
        super().__init__()
        self.wrist_is_origin = preset.wrist_is_origin
        self.encoder = PaperImageEncoder()
        self.project = nn.Conv2d(256, preset.feature_width, 1)
        self.hands = nn.ModuleDict({side: HandBranch(preset) for side in SIDES})

    def context(
        self,
        features: PaperFeatures,
        image_index: Tensor,
        intrinsics: Tensor,
        hands: CanonicalHands,
    ) -> PaperInitialContext:
        """Bind H hands to their crops; arguments as in ``InitialOccupancy.context``."""
        sides = tuple(SIDES[0] if left else SIDES[1] for left in hands.mirrored.tolist())
        pixels = self.project(features.finest)
        memories = {side: self._branch(side).attention.precompute(pixels) for side in set(sides)}
        which = list(zip(sides, image_index.tolist(), strict=True))
        memory = TokenMemory(
            torch.stack([memories[side].keys[image] for side, image in which]),
            torch.stack([memories[side].values[image] for side, image in which]),
        )
        of_side = {side: self._branch(side).decoder.bones(hands) for side in set(sides)}
        bones = PaperBones(
            torch.stack([of_side[side].weight[hand] for hand, side in enumerate(sides)]),
            torch.stack([of_side[side].bias[hand] for hand, side in enumerate(sides)]),
        )
        return PaperInitialContext(hands, self, sides, bones, memory, intrinsics)

    def forward(self, points_palm: Tensor, context: PaperInitialContext) -> Tensor:
        """Occupancy logits of (H, N, 3) palm-frame points (metres): (H, N) float32."""
        points_camera = context.hands.camera_from_palm(points_palm)
        # Of the depths: with the first query's, logits depend on the order of the queries.
        wrist, first_query = context.hands.wrist[:, None, 2:], points_camera[:, :1, 2:]
        origin = wrist if self.wrist_is_origin else first_query
        position = torch.cat([points_camera[..., :2], points_camera[..., 2:] - origin], dim=-1)
        logits = position.new_empty(position.shape[:2], dtype=torch.float32)
        for side in set(context.sides):
            rows = [hand for hand, other in enumerate(context.sides) if other == side]
            bones, memory = take(context.bones, rows), take(context.memory, rows)
            branch = self._branch(side)
            logits[rows] = branch(position[rows], points_palm[rows], bones, memory).float()
        return logits

    def _branch(self, side: str) -> HandBranch:
        branch = self.hands[side]
        assert isinstance(branch, HandBranch)
        return branch


class HandBranch(nn.Module):
    """What one side has of its own: point embedding, attention to the image and decoder."""

    def __init__(self, preset: PaperInitialPreset) -> None:
        super().__init__()
        query_width = 3 + preset.point_width
        self.embed_first = nn.Linear(3, preset.point_hidden)
        self.embed_second = nn.Linear(preset.point_hidden, preset.point_width)
        self.attention = QueryImageAttention(
            image_width=preset.feature_width,
            token_count=preset.grid**2,
            token_width=preset.token_width,
            query_width=query_width,
            heads=preset.heads,
            patch=_FEATURE_SIZE // preset.grid,
        )
        self.decoder = PaperDecoder(preset.decoder, query_width)

    def forward(
        self, position: Tensor, points_palm: Tensor, bones: PaperBones, memory: TokenMemory
    ) -> Tensor:
        """Logits (H, N) of points: camera position with relative depth, and palm frame."""
        embedded = self.embed_second(F.relu(self.embed_first(position)))
        image = self.attention(torch.cat([position, embedded], dim=-1), memory)
        return self.decoder(points_palm, bones, image)
