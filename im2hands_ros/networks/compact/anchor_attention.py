"""Query-anchor attention of the compact refinement: points look at the anchors around them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.presets import RefinementPreset
from im2hands_ros.precision import autocast_disabled

# What depths (millimetres) and places (metres) are divided by for the networks.
DEPTH_SCALE, PLACE_SCALE = 4.0, 0.1
# Added to the attention of anchors that are not there.
_SILENCE = -1e4


class AnchorMemory(NamedTuple):
    """What query points of H hands attend to: own anchors first, then the other hand's.

    Attributes:
        positions: (H, 2 A, 3) in the hand's palm frame, metres.
        keys: (H, heads, 2 A, D + 4) and
        values: (H, heads, 2 A, D + 4): positions ride along. Nobody attends to anchors of a hand
            that is not there: their keys say so.
        share: (H, 1) how much of its corrections a hand is given.
    """

    positions: Tensor
    keys: Tensor
    values: Tensor
    share: Tensor


class QueryAnchorDecoder(nn.Module):
    """Query points attend to anchors by what they are and by how near they are."""

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

    def remember(self, positions: Tensor, tokens: Tensor, listened: Tensor) -> AnchorMemory:
        """Keys and values of (H, 2 A, W) anchor tokens at (H, 2 A, 3) positions.

        -|x - a|^2 / 2 r^2 = (x . a - |a|^2 / 2) / r^2 + what is the same for all anchors: places
        enter the attention's product as four more channels, and the last of these also silences
        anchors that are not ``listened`` (H, 2 A) to. No mask, and values as wide as keys, is
        what fused attention takes.
        """
        reach = self.log_reach.exp().view(1, -1, 1, 1)
        places = positions.float()[:, None].expand(-1, self.heads, -1, -1)
        near = torch.cat([places, -places.square().sum(-1, keepdim=True) / 2], -1) / reach.square()
        silent = F.pad(torch.where(listened, 0.0, _SILENCE)[:, None, :, None], (3, 0))
        keys = torch.cat([self._split(self.key(tokens)).float(), near + silent], dim=-1)
        told = F.pad(places / PLACE_SCALE, (0, 1))
        values = torch.cat([self._split(self.value(tokens)).float(), told], dim=-1)
        return AnchorMemory(positions, keys, values, positions.new_ones(len(positions), 1))

    def forward(self, points_palm: Tensor, initial: Tensor, memory: AnchorMemory) -> Tensor:
        """Corrections (H, N) of (H, N, 3) points with initial depths (H, N), before tanh."""
        depth = initial[..., None] / DEPTH_SCALE
        query = self.query(torch.cat([points_palm / PLACE_SCALE, depth], dim=-1))
        with autocast_disabled(points_palm):
            attended, centre = self._attend(points_palm.float(), query.float(), memory)
        offset = (points_palm[:, None] / PLACE_SCALE - centre).transpose(1, 2).flatten(2)
        x = torch.cat([query, attended, 10 * offset, depth], dim=-1)
        x = F.leaky_relu(self.first(x), 0.1)
        x = F.leaky_relu(self.second(x), 0.1)
        return self.last(x)[..., 0].float()

    def _attend(self, points: Tensor, query: Tensor, memory: AnchorMemory) -> tuple[Tensor, Tensor]:
        """Attended values (H, N, W) and places (H, heads, N, 3)."""
        split = self._split(query)
        width = split.shape[-1]
        ones = points.new_ones(*points.shape[:2], 1)
        places = torch.cat([points, ones], -1)[:, None].expand(-1, self.heads, -1, -1)
        asked = torch.cat([split * width**-0.5, places], dim=-1)
        answer = F.scaled_dot_product_attention(asked, memory.keys, memory.values, scale=1.0)
        return answer[..., :width].transpose(1, 2).flatten(2), answer[..., width : width + 3]

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
