"""Query points that attend to the anchors around them (AIR-Nets, 3DV 2021, section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.point_transformer import TwoLayers, nearest, pick
from im2hands_ros.networks.presets import PaperQueryPreset


class QueryMemory(NamedTuple):
    """Anchors of H hands: positions (H, A, 3) metres; keys, values (H, A, C)."""

    positions: Tensor
    keys: Tensor
    values: Tensor


class QueryDecoder(nn.Module):
    """Logits of query points from the nearest anchors, a code of the scene and point features."""

    def __init__(self, preset: PaperQueryPreset, code_width: int, pixel_width: int) -> None:
        super().__init__()
        width, hidden = preset.width, preset.hidden
        self.pixel_width = pixel_width
        self.attention = QueryAttention(width, code_width, preset.neighbours)
        # The initial occupancy is repeated as often as there are pixel features, as published.
        self.start = nn.Linear(width + 2 * pixel_width, hidden)
        self.blocks = nn.ModuleList(QueryBlock(width, hidden) for _ in range(preset.blocks))
        self.last = nn.Linear(hidden, 1)

    def remember(self, positions: Tensor, features: Tensor) -> QueryMemory:
        """(H, A, 3) anchors with (H, A, D) features to what queries attend to; once per frame."""
        attention = self.attention
        return QueryMemory(positions, attention.key(features), attention.value(features))

    def forward(
        self, positions: Tensor, pixels: Tensor, initial: Tensor, memory: QueryMemory, code: Tensor
    ) -> Tensor:
        """Logits (H, N).

        Args:
            positions: (H, N, 3) in the anchors' frame. pixels: (H, N, C) image features.
            initial: (H, N) initial occupancies. memory: anchors. code: (H, D) of the scene.
        """
        attended = self.attention(positions, memory, code)
        x = self._begin(attended, pixels, initial)
        for block in self.blocks:
            x = block(x, attended)
        return self.last(x)[..., 0]

    def _begin(self, attended: Tensor, pixels: Tensor, initial: Tensor) -> Tensor:
        """The first layer, with its repeated inputs added up beforehand."""
        sizes = [attended.shape[-1], self.pixel_width, self.pixel_width]
        of_attended, of_pixels, of_initial = self.start.weight.split(sizes, dim=1)
        x = F.linear(attended, of_attended, self.start.bias) + F.linear(pixels, of_pixels)
        return x + initial[..., None] * of_initial.sum(1)


class QueryBlock(nn.Module):
    """Add the attended anchors, then a residual block."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attended = nn.Linear(width, hidden)
        self.first = nn.Linear(hidden, hidden)
        self.second = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        """(H, N, hidden) with (H, N, width) to (H, N, hidden)."""
        x = x + self.attended(attended)
        return x + self.second(F.relu(self.first(F.relu(x))))


class QueryAttention(nn.Module):
    """Vector attention of the scene's code, at each query point, to anchors and to itself."""

    def __init__(self, width: int, code_width: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.query, self.key, self.value, self.global_key, self.global_value = (
            nn.Linear(code_width, width, bias=False) for _ in range(5)
        )
        self.offset = TwoLayers(3, width)
        self.score = TwoLayers(width, width)

    def forward(self, positions: Tensor, memory: QueryMemory, code: Tensor) -> Tensor:
        """(H, N, width) of (H, N, 3) query points."""
        near = nearest(positions, memory.positions, self.neighbours)
        offset = self.offset(positions[:, :, None] - pick(memory.positions, near))
        query = self.query(code)
        # Query and key only differ from anchor to anchor, not from point to point.
        difference = pick(query[:, None] - memory.keys, near)
        scores = self.score(difference + offset)
        values = pick(memory.values, near) + offset
        global_score = self.score(query - self.global_key(code))[:, None, None]
        global_value = self.global_value(code)[:, None, None]
        size = (-1, positions.shape[1], -1, -1)
        weights = torch.cat([scores, global_score.expand(size)], dim=2).softmax(2)
        attended = (weights[:, :, :-1] * values).sum(2)
        return attended + weights[:, :, -1] * global_value[:, 0]
