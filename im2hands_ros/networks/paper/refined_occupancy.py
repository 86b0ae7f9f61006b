"""The published refinement: each hand's occupancy given both initial surfaces.

Im2Hands, section 3.3. Points sampled on both initial surfaces ("anchors") carry the image features
there; a query point attends to the nearest anchors of its hand and to a code of both hands
and the image. Everything but the queries is done once per frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.paper.image_encoder import (
    DECODER_WIDTH,
    IMAGE_SIZE,
    PaperFeatures,
    PaperImageEncoder,
)
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialContext, PaperInitialOccupancy
from im2hands_ros.networks.paper.point_transformer import AnchorEncoder
from im2hands_ros.networks.paper.presets import PaperRefinedPreset
from im2hands_ros.networks.paper.query_decoder import QueryDecoder
from im2hands_ros.networks.paper.vector_attention import Cloud
from im2hands_ros.networks.protocol import HandContext

# Published axes of points and anchors: x right, y up, z towards the camera.
_AXES = (1.0, -1.0, -1.0)


@dataclass(frozen=True, eq=False)
class PaperRefinedContext(HandContext):
    """What the network computes of 2 B hands before the first query; left hands come first.

    Attributes:
        network: that evaluates the query points.
        initial: the same for the initial occupancy.
        pixels: (2 B, C, 256, 256) image features at the crop's resolution.
        centre: (2 B, 3) origin of the anchors, metres.
        image_code: (2 B, D) of each hand's crop.
        memory: anchors' positions, keys and values.
        code: (2 B, D) of both hands and the image, one for each hand.
    """

    network: PaperRefinedOccupancy
    initial: PaperInitialContext
    pixels: Tensor
    centre: Tensor
    image_code: Tensor
    memory: Cloud
    code: Tensor

    def logits(self, points_palm: Tensor) -> Tensor:
        return self.network(points_palm, self)


class PaperRefinedOccupancy(nn.Module):
    """Occupancy of two hands from a crop, their keypoints and points on their initial surfaces."""

    def __init__(self, preset: PaperRefinedPreset) -> None:
        super().__init__()
        width = preset.feature_width
        self.initial = PaperInitialOccupancy(preset.initial)
        self.encoder = PaperImageEncoder()
        self.project = nn.Conv2d(2 * DECODER_WIDTH, width, 1)
        self.heat_code = nn.Conv2d(DECODER_WIDTH, preset.anchors.width // 2, 8)
        self.dense_code = nn.Conv2d(DECODER_WIDTH, preset.anchors.width // 2, 8)
        self.anchors = AnchorEncoder(preset.anchors, width + 2)
        self.context_code = nn.Linear(3 * preset.anchors.width, preset.anchors.width)
        self.queries = QueryDecoder(preset.queries, preset.anchors.width, width)

    def context(
        self,
        features: PaperFeatures,
        image_index: Tensor,
        initial: PaperInitialContext,
        anchors_camera: Tensor,
    ) -> PaperRefinedContext:
        """Encode the image and both initial surfaces; once per frame.

        Args:
            features: of B crops, from this network's own encoder.
            image_index: (2 B,) which crop each hand is in.
            initial: context of the 2 B hands: B left hands, then B right hands, same order.
            anchors_camera: (2 B, N, 3) points on their initial surfaces, camera frame, metres.

        Raises:
            ValueError: hands that are not B left hands followed by B right hands.
        """
        pairs = len(initial.sides) // 2
        if initial.sides != ("left",) * pairs + ("right",) * pairs:
            raise ValueError(f"hands are {initial.sides}: refinement needs both hands, left first")
        codes = [self.heat_code(features.heat[0]), self.dense_code(features.dense[0])]
        image_code = torch.cat(codes, dim=1).flatten(1)[image_index]
        # The projection commutes with upsampling and is 16 times cheaper before it.
        pixels = F.interpolate(
            self.project(features.finest), size=IMAGE_SIZE, mode="bilinear", align_corners=False
        )[image_index]
        sampled = sample_pixels(pixels, anchors_camera, initial.intrinsics)
        side = sampled.new_tensor([[1.0, 0.0], [0.0, 1.0]]).repeat_interleave(pairs, dim=0)
        side = side[:, None].expand(-1, sampled.shape[1], -1)
        positions = anchors_camera * anchors_camera.new_tensor(_AXES)
        centre = _centre_of_both(positions)
        anchors = self.anchors(positions - centre[:, None], torch.cat([sampled, side], dim=-1))
        memory = self.queries.precompute(anchors.positions, anchors.features)
        code = self.code_of_both(anchors.code, image_code)
        return PaperRefinedContext(
            initial.hands, self, initial, pixels, centre, image_code, memory, code
        )

    def forward(self, points_palm: Tensor, context: PaperRefinedContext) -> Tensor:
        """Occupancy logits (2 B, N) of (2 B, N, 3) palm-frame points (metres)."""
        initial = context.initial.logits(points_palm).sigmoid()
        points_camera = context.hands.camera_from_palm(points_palm)
        pixels = sample_pixels(context.pixels, points_camera, context.initial.intrinsics)
        positions = points_camera * points_camera.new_tensor(_AXES) - context.centre[:, None]
        return self.queries(positions, pixels, initial, context.memory, context.code).float()

    def code_of_both(self, code: Tensor, image_code: Tensor) -> Tensor:
        """(2 B, D) codes of single hands to codes of a hand, the other one and the image."""
        other = code.roll(len(code) // 2, dims=0)
        return self.context_code(torch.cat([code, other, image_code], dim=-1))


def sample_pixels(pixels: Tensor, points_camera: Tensor, intrinsics: Tensor) -> Tensor:
    """Image features (H, N, C) where (H, N, 3) camera points project to; zero outside the crop.

    Pixel coordinates are normalised by half the crop's size but sampled with aligned corners:
    half a pixel off at the edges, as published.
    """
    projected = points_camera @ intrinsics.transpose(1, 2)
    pixels, half = pixels.float(), pixels.shape[-1] / 2
    grid = (projected[..., :2] / projected[..., 2:] - half) / half
    sampled = F.grid_sample(
        pixels.float(), grid[:, :, None], padding_mode="zeros", align_corners=True
    )
    return sampled[..., 0].transpose(1, 2)


def _centre_of_both(positions: Tensor) -> Tensor:
    """(2 B, 3) middle of the box around both hands' (2 B, N, 3) anchors, the same for the two."""
    pairs = len(positions) // 2
    both = torch.cat([positions[:pairs], positions[pairs:]], dim=1)
    return ((both.amin(1) + both.amax(1)) / 2).repeat(2, 1)
