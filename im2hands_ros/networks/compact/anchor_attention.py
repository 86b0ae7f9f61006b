"""Query-anchor attention of the compact refinement: points attend to the anchors around them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.presets import RefinementPreset
from im2hands_ros.precision import autocast_disabled

# What depths (millimetres) and positions (metres) are divided by for the networks.
DEPTH_SCALE, POSITION_SCALE = 4.0, 0.1
# Added to the attention score of anchors that are masked.
_MASKED = -1e4


class AnchorMemory(NamedTuple):
    """What query points of H hands attend to: own anchors first, then the other hand's.

    Attributes:
        positions: (H, 2 A, 3) in the hand's palm frame, metres.
        keys: (H, heads, 2 A, D + 4) and
        values: (H, heads, 2 A, D + 4): with the positions as further channels. The keys of an
            absent hand's anchors hold the attention mask.
        share: (H, 1) share of a hand's corrections that is applied.
    """

    positions: Tensor
    keys: Tensor
    values: Tensor
    share: Tensor


class QueryAnchorDecoder(nn.Module):
    """Query points attend to anchors by content and by distance."""

    def __init__(self, preset: RefinementPreset) -> None:
        super().__init__()
        width, self.heads = preset.query_width, preset.query_heads
        self.query = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width))
        self.key = nn.Linear(preset.width, width)
        self.value = nn.Linear(preset.width, width)
        # Metres within which an anchor is near, one per head; learned as logarithms.
        reaches = torch.tensor([0.008 * 2.5**head for head in range(self.heads)])
        self.log_reach = nn.Parameter(reaches.log())
        self.first = nn.Linear(2 * width + 3 * self.heads + 1, preset.hidden)
        self.second = nn.Linear(preset.hidden, preset.hidden)
        self.last = nn.Linear(preset.hidden, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def precompute(self, positions: Tensor, tokens: Tensor, mask: Tensor) -> AnchorMemory:
        """Keys and values of (H, 2 A, W) anchor tokens at (H, 2 A, 3) positions.

        `-|x - a|^2 / 2 r^2 = (x . a - |a|^2 / 2) / r^2` + what is the same for all anchors:
        positions enter the attention's product as four more channels, the last of which also holds
        the ``mask`` (H, 2 A). No separate mask, and values as wide as keys, is what fused attention
        takes.
        """
        reach = self.log_reach.exp().view(1, -1, 1, 1)
        placed = positions.float()[:, None].expand(-1, self.heads, -1, -1)
        near = torch.cat([placed, -placed.square().sum(-1, keepdim=True) / 2], -1) / reach.square()
        masked = F.pad(torch.where(mask, 0.0, _MASKED)[:, None, :, None], (3, 0))
        keys = torch.cat([self._split(self.key(tokens)).float(), near + masked], dim=-1)
        placed = F.pad(placed / POSITION_SCALE, (0, 1))
        values = torch.cat([self._split(self.value(tokens)).float(), placed], dim=-1)
        return AnchorMemory(positions, keys, values, positions.new_ones(len(positions), 1))

    def forward(self, points_palm: Tensor, initial: Tensor, memory: AnchorMemory) -> Tensor:
        """Corrections (H, N) of (H, N, 3) points with initial depths (H, N), before tanh."""
        depth = initial[..., None] / DEPTH_SCALE
        query = self.query(torch.cat([points_palm / POSITION_SCALE, depth], dim=-1))
        with autocast_disabled(points_palm):
            attended, centre = self._attend(points_palm.float(), query.float(), memory)
        offset = (points_palm[:, None] / POSITION_SCALE - centre).transpose(1, 2).flatten(2)
        x = torch.cat([query, attended, 10 * offset, depth], dim=-1)
        x = F.leaky_relu(self.first(x), 0.1)
        x = F.leaky_relu(self.second(x), 0.1)
        return self.last(x)[..., 0].float()

    def _attend(self, points: Tensor, query: Tensor, memory: AnchorMemory) -> tuple[Tensor, Tensor]:
        """Attended values (H, N, W) and mean positions (H, heads, N, 3)."""
        split = self._split(query)
        width = split.shape[-1]
        placed = F.pad(points, (0, 1), value=1.0)[:, None].expand(-1, self.heads, -1, -1)
        queries = torch.cat([split * width**-0.5, placed], dim=-1)
        output = F.scaled_dot_product_attention(queries, memory.keys, memory.values, scale=1.0)
        return output[..., :width].transpose(1, 2).flatten(2), output[..., width : width + 3]

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
