"""Points that attend to their neighbours: the anchor encoder (AIR-Nets, 3DV 2021, section 3.1).

Attention weights are vectors: one softmax over the neighbours for every channel. All tensors of
points are (H, N, C), a cloud per hand; positions are metres.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.paper.presets import PaperAnchorPreset
from im2hands_ros.networks.paper.vector_attention import (
    Cloud,
    ScoreLayers,
    TwoLayers,
    vector_attention,
)


class AnchorCode(NamedTuple):
    """What the encoder makes of H clouds.

    Attributes:
        code: (H, C) of the whole cloud.
        positions: (H, A, 3) of the anchors that are left, metres.
        features: (H, A, C) of them.
    """

    code: Tensor
    positions: Tensor
    features: Tensor


class AnchorEncoder(nn.Module):
    """A cloud with features to few anchors with features and one code of the whole."""

    def __init__(self, preset: PaperAnchorPreset, inputs: int) -> None:
        super().__init__()
        narrow, width = preset.narrow_width, preset.width
        self.embed = nn.Linear(inputs, narrow)
        self.begin = PointTransformer(narrow, preset.neighbours)
        self.levels = nn.ModuleList(
            Level(preset, *sizes)
            for sizes in zip((narrow, width), (width, width), preset.counts, strict=True)
        )
        self.blocks = nn.ModuleList(AnchorBlock(width) for _ in range(preset.blocks))
        self.code = TwoLayers(width, width)

    def forward(self, positions: Tensor, features: Tensor) -> AnchorCode:
        """(H, N, 3) metres, origin between the hands, and (H, N, inputs) features."""
        features = self.begin(positions, self.embed(features))
        for level in self.levels:
            positions, features = level(positions, features)
        for block in self.blocks:
            features = block(positions, features)
        return AnchorCode(self.code(features.amax(1)), positions, features)


class Level(nn.Module):
    """Keep fewer points, let them attend to their neighbours, and maybe widen their features."""

    def __init__(self, preset: PaperAnchorPreset, inputs: int, outputs: int, count: int) -> None:
        super().__init__()
        self.down = SetAbstraction(inputs, preset.neighbours, count, preset.excluded_radius_squared)
        self.mix = PointMix(inputs)
        self.attend = PointTransformer(inputs, preset.neighbours)
        self.widen = nn.Linear(inputs, outputs) if inputs != outputs else nn.Identity()
        self.mix_after = PointMix(outputs)

    def forward(self, positions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """(H, N, 3), (H, N, inputs) to (H, count, 3), (H, count, outputs)."""
        positions, features = self.down(positions, features)
        features = self.attend(positions, self.mix(features))
        return positions, self.mix_after(self.widen(features))


class AnchorBlock(nn.Module):
    """Every point attends to all points, then mixes its channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = PointTransformer(width, None)
        self.mix = PointMix(width)

    def forward(self, positions: Tensor, features: Tensor) -> Tensor:
        """(H, N, 3), (H, N, width) to (H, N, width)."""
        return self.mix(self.attend(positions, features))


class PointNorm(nn.BatchNorm1d):
    """Batch norm over hands and points of (H, N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """(H, N, C) to (H, N, C)."""
        return super().forward(x.flatten(0, 1)).view_as(x)


class PointTransformer(nn.Module):
    """Residual vector attention of every point to its nearest neighbours, itself included."""

    def __init__(self, width: int, neighbours: int | None) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.offset = TwoLayers(3, width)
        self.score = ScoreLayers(width, width)
        self.norm = PointNorm(width)

    def forward(self, positions: Tensor, features: Tensor) -> Tensor:
        """(H, N, 3), (H, N, width) to (H, N, width); ``neighbours`` None means all points."""
        count = positions.shape[1] if self.neighbours is None else self.neighbours
        near = self.score.nearest(positions, positions, count)
        cloud = Cloud(positions, self.key(features), self.value(features))
        query = self.query(features)
        attended = vector_attention(positions, query, cloud, near, self.offset, self.score)
        return self.norm(attended + features)


class PointMix(nn.Module):
    """Residual mixing of each point's channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.first_norm, self.second_norm = PointNorm(width), PointNorm(width)
        self.norm = PointNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(H, N, width) to (H, N, width)."""
        y = F.relu(self.first_norm(self.first(x)))
        return self.norm(x + F.relu(self.second_norm(self.second(y))))


class SetAbstraction(nn.Module):
    """Fewer points, spread far apart, that attend twice to their neighbours among all points."""

    def __init__(self, width: int, neighbours: int, count: int, excluded: float) -> None:
        super().__init__()
        self.neighbours, self.count, self.excluded = neighbours, count, excluded
        self.offset = TwoLayers(3, width)
        self.first_query = nn.Linear(width, width, bias=False)
        self.first_key = nn.Linear(width, width, bias=False)
        self.first_value = nn.Linear(width, width, bias=False)
        self.first_score = ScoreLayers(width, width)
        self.second_query = nn.Linear(width, width, bias=False)
        self.second_key = nn.Linear(width, width, bias=False)
        self.second_value = nn.Linear(width, width, bias=False)
        self.second_score = ScoreLayers(width, width)
        self.mix_first, self.mix_second = nn.Linear(width, width), nn.Linear(width, width)
        self.mix_norm, self.first_norm = PointNorm(width), PointNorm(width)
        self.second_norm, self.norm = PointNorm(width), PointNorm(width)

    def forward(self, positions: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """(H, N, 3), (H, N, width) to (H, count, 3), (H, count, width)."""
        chosen = furthest_points(positions, self.count, self.excluded)[..., None]
        centres, own = pick(positions, chosen)[:, :, 0], pick(features, chosen)[:, :, 0]
        near = self.first_score.nearest(centres, positions, self.neighbours)
        # Offsets point to the neighbour: the other way round than in PointTransformer.
        turned, of = -centres, -positions
        cloud = Cloud(of, self.first_key(features), self.first_value(features))
        query = self.first_query(own)
        first = vector_attention(turned, query, cloud, near, self.offset, self.first_score)
        first = first + self.mix_second(F.relu(self.mix_norm(self.mix_first(first))))
        first = self.first_norm(first)
        cloud = Cloud(of, self.second_key(features), self.second_value(features))
        query = self.second_query(first)
        second = vector_attention(turned, query, cloud, near, self.offset, self.second_score)
        return centres, self.norm(self.second_norm(first + second) + own)


def pick(values: Tensor, index: Tensor) -> Tensor:
    """(H, N, C) values at (H, M, K) indices: (H, M, K, C)."""
    flat = index.flatten(1)[..., None].expand(-1, -1, values.shape[-1])
    return values.gather(1, flat).unflatten(1, index.shape[1:])


@torch.no_grad()
def furthest_points(positions: Tensor, count: int, excluded_radius_squared: float = 0.0) -> Tensor:
    """Indices of points far apart: each is the furthest from those before it; the first is 0.

    Args:
        positions: (H, N, 3) metres.
        count: how many to choose.
        excluded_radius_squared: points this near to the origin or nearer are never chosen, but for
            the first; the published sampling has 1e-3 (3 cm).

    Returns:
        (H, count) int64; the lowest index wins ties, and is repeated when nothing is left.
    """
    hands = torch.arange(len(positions), device=positions.device)
    chosen = torch.zeros(len(positions), count, dtype=torch.long, device=positions.device)
    distance = positions.new_full(positions.shape[:2], 1e10)
    distance[positions.square().sum(-1) <= excluded_radius_squared] = -1
    for number in range(1, count):
        last = positions[hands, chosen[:, number - 1]]
        distance = distance.minimum((positions - last[:, None]).square().sum(-1))
        chosen[:, number] = distance.argmax(1)
    return chosen
