"""The published keypoint refinement: graph layers along the skeleton and image attention.

Im2Hands, section 3.4. Joints are in MANO's internal order (wrist; index, middle, pinky, ring and
thumb, base to third joint; the five tips, thumb to pinky) and in millimetres, camera axes, both
hands relative to the left middle MCP. Published dropout does nothing at inference: left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.attention import QueryImageAttention
from im2hands_ros.networks.paper.image_encoder import IMAGE_SIZE, PaperFeatures, PaperImageEncoder
from im2hands_ros.networks.paper.presets import PaperKeypointPreset
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

# Our joint number of each published one; the inverse brings published joints into our order.
PUBLISHED_ORDER = (0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20)
_MIDDLE_MCP = 9
_FINGERS = ((13, 14, 15, 16), (1, 2, 3, 17), (4, 5, 6, 18), (10, 11, 12, 19), (7, 8, 9, 20))
_MILLIMETRES = 1000.0
_NORM_EPS = 1e-6


class PaperKeypointRefinement(nn.Module):
    """Two hands' coarse joints and a crop to better joints."""

    def __init__(self, preset: PaperKeypointPreset) -> None:
        super().__init__()
        width = preset.identity_width + preset.point_width
        self.encoder = PaperImageEncoder()
        self.project = nn.Conv2d(512, preset.feature_width, 1)
        self.hands = nn.ModuleDict({side: HandGraph(preset, width) for side in SIDES})
        last_width = width + preset.graph_width * len(preset.token_widths)
        # Only the left hand's published regressor was ever used, and for both hands.
        self.regress_first = nn.Linear(last_width, preset.regressor_width)
        self.regress_second = nn.Linear(preset.regressor_width, 3)

    def forward(self, features: PaperFeatures, left: Tensor, right: Tensor) -> list[Tensor]:
        """Published inputs and outputs.

        Args:
            features: of B crops, from this network's own encoder.
            left, right: (B, 21, 3) coarse joints, order and frame as in the module's docstring.

        Returns:
            Refined left and right joints, (B, 21, 3) millimetres; each hand's translation is
            free.
        """
        pixels = self.project(torch.cat([features.shallow, features.finest], dim=1))
        refined = []
        for side, joints in zip(SIDES, (left, right), strict=True):
            tokens = self.hands[side](joints, pixels)
            refined.append(self.regress_second(F.relu(self.regress_first(tokens))))
        return refined

    def refine(self, features: PaperFeatures, left: Tensor, right: Tensor) -> list[Tensor]:
        """(B, 21, 3) joints, MANO order, metres, camera frame, to the same, refined.

        The network predicts no translation: a hand's middle MCP stays where it was. Joints
        are never in reduced precision, which has no tenths of millimetres.
        """
        origin = left[:, _MIDDLE_MCP, None]
        order = list(PUBLISHED_ORDER)
        given = [(hand - origin)[:, order] * _MILLIMETRES for hand in (left, right)]
        back = torch.tensor(order).argsort().to(left.device)
        features = PaperFeatures(
            features.shallow.float(),
            tuple(level.float() for level in features.heat),
            tuple(level.float() for level in features.dense),
        )
        with torch.autocast(left.device.type, enabled=False):
            refined = self(features, *given)
        results = []
        for hand, published in zip((left, right), refined, strict=True):
            joints = published[:, back] / _MILLIMETRES
            anchor = hand[:, _MIDDLE_MCP, None] - joints[:, _MIDDLE_MCP, None]
            results.append(joints + anchor)
        return results


class HandGraph(nn.Module):
    """One side's tokens, one per joint, through graph and image layers."""

    def __init__(self, preset: PaperKeypointPreset, width: int) -> None:
        super().__init__()
        self.identity = nn.Parameter(torch.randn(JOINT_COUNT, preset.identity_width))
        self.embed_first = nn.Linear(3, preset.point_width)
        self.embed_second = nn.Linear(preset.point_width, preset.point_width)
        self.layers = nn.ModuleList()
        for token_width in preset.token_widths:
            self.layers.append(JointLayer(preset, width, token_width))
            width += preset.graph_width

    def forward(self, joints: Tensor, pixels: Tensor) -> Tensor:
        """(B, 21, 3) millimetres and (B, C, 64, 64) features to (B, 21, width) tokens."""
        embedded = self.embed_second(F.relu(self.embed_first(joints)))
        tokens = torch.cat([self.identity.expand(len(joints), -1, -1), embedded], dim=-1)
        for layer in self.layers:
            tokens = layer(tokens, pixels)
        return tokens


class JointLayer(nn.Module):
    """Graph blocks whose output is added as further channels, then attention to the image."""

    def __init__(self, preset: PaperKeypointPreset, width: int, token_width: int) -> None:
        super().__init__()
        graph = preset.graph_width
        self.graph = nn.ModuleList([GraphBlock(width, graph), GraphBlock(graph, graph)])
        self.attention = QueryImageAttention(
            image_width=preset.feature_width,
            token_count=preset.grid**2,
            token_width=token_width,
            query_width=width + graph,
            heads=preset.heads,
            patch=IMAGE_SIZE // 4 // preset.grid,
        )

    def forward(self, tokens: Tensor, pixels: Tensor) -> Tensor:
        """(B, 21, width) to (B, 21, width + graph width)."""
        first, second = self.graph
        added = second(F.relu(first(tokens)))
        memory = self.attention.precompute(pixels)
        return self.attention(torch.cat([tokens, added], dim=-1), memory)


class GraphBlock(nn.Module):
    """Two first-order graph convolutions and a shortcut."""

    next_joints: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2 * inputs, outputs), nn.Linear(2 * outputs, outputs)
        self.first_norm = nn.LayerNorm(outputs, eps=_NORM_EPS)
        self.second_norm = nn.LayerNorm(outputs, eps=_NORM_EPS)
        self.shortcut = nn.Linear(inputs, outputs)
        self.register_buffer("next_joints", _next_joints(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 21, inputs) to (B, 21, outputs)."""
        y = F.relu(self.first_norm(self.first(self._with_children(x))))
        return self.second_norm(self.second(self._with_children(y)) + self.shortcut(x))

    def _with_children(self, x: Tensor) -> Tensor:
        """Beside each channel its sum over the joint's children: (B, 21, C) to (B, 21, 2 C)."""
        return torch.stack([x, self.next_joints @ x], dim=-1).flatten(-2)


def _next_joints() -> Tensor:
    """(21, 21): row of a joint has ones at the next joints towards the tips."""
    matrix = torch.zeros(JOINT_COUNT, JOINT_COUNT)
    for finger in _FINGERS:
        for parent, child in zip((0, *finger[:-1]), finger, strict=True):
            matrix[parent, child] = 1
    return matrix
