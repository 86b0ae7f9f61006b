"""Query points that attend to the anchors around them (AIR-Nets, 3DV 2021, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.paper.presets import PaperQueryPreset
from im2hands_ros.networks.paper.vector_attention import (
    Cloud,
    ScoreLayers,
    TwoLayers,
    Whole,
    vector_attention,
)


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

    def precompute(self, positions: Tensor, features: Tensor) -> Cloud:
        """(H, A, 3) anchors with (H, A, D) features to what queries attend to; once per frame."""
        attention = self.attention
        return Cloud(positions, attention.key(features), attention.value(features))

    def forward(
        self, positions: Tensor, pixels: Tensor, initial: Tensor, memory: Cloud, code: Tensor
    ) -> Tensor:
        """Logits (H, N).

        Args:
            positions: (H, N, 3) in the anchors' frame. pixels: (H, N, C) image features.
            initial: (H, N) initial occupancies. memory: anchors. code: (H, D) of the scene.
        """
        attended = self.attention(positions, memory, code)
        # The initial occupancy is given once: the weights of its repetitions are added up.
        sizes = [attended.shape[-1], self.pixel_width, self.pixel_width]
        of_attended, of_pixels, of_initial = self.start.weight.split(sizes, dim=1)
        # All layers that read what was attended to are one product.
        blocks = self._blocks()
        readers: list[Tensor] = [of_attended, *(block.attended.weight for block in blocks)]
        biases: list[Tensor] = [self.start.bias, *(block.attended.bias for block in blocks)]
        read = F.linear(attended, torch.cat(readers), torch.cat(biases))
        x, *added = read.split(self.start.out_features, dim=-1)
        x = x + F.linear(pixels, of_pixels) + initial[..., None] * of_initial.sum(1)
        for block, more in zip(blocks, added, strict=True):
            x = block(x + more)
        return self.last(x)[..., 0]

    def start_residual_blocks(self) -> None:
        """Set the residual blocks to pass on their input, as training begins."""
        for block in self._blocks():
            nn.init.zeros_(block.second.weight)

    def _blocks(self) -> list[QueryBlock]:
        return [block for block in self.blocks if isinstance(block, QueryBlock)]


class QueryBlock(nn.Module):
    """What is read of the attended anchors, and a residual block."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attended = nn.Linear(width, hidden)
        self.first = nn.Linear(hidden, hidden)
        self.second = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """The residual block, after what was attended to is added: (H, N, hidden) to the same."""
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
        self.score = ScoreLayers(width, width)

    def forward(self, positions: Tensor, memory: Cloud, code: Tensor) -> Tensor:
        """(H, N, width) of (H, N, 3) query points."""
        near = self.score.nearest(positions, memory.positions, self.neighbours)
        whole = Whole(self.global_key(code), self.global_value(code))
        query = self.query(code)[:, None]
        return vector_attention(positions, query, memory, near, self.offset, self.score, whole)
