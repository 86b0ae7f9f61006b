"""How far landmarks lie beside what the picture shows around each.

The landmark network reads all landmarks from one mean over the whole crop, which a fingertip moves
little. Its maps still show where that fingertip is: here each landmark is looked at in them, along
its bone, and then all of a hand together.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.conditioned_landmarks import Hints
from im2hands_ros.networks.compact.landmark_network import (
    INPUT_SIZE,
    MAP_WIDTHS,
    SeenLandmarks,
)
from im2hands_ros.skeleton import JOINT_COUNT, MIDDLE_MCP, PARENTS, WRIST

# Of each map: how many samples, in rows, columns and how far apart, pixels of the crop.
_SAMPLES = ((5, 5, 4.5), (3, 3, 10.0), (1, 5, 16.0), (1, 1, 0.0))
_CROSS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
_UNIT, _REACH = INPUT_SIZE / 4, 3.0  # pixels of the crop, and the limit in such units
_SHORT = 3.0  # pixels: a bone that is seen from its end has no direction
_TYPICAL_SPREAD = 1.5  # logarithm of pixels
WIDTH, _OF_JOINT, _OF_HAND = 96, 24, 128
SHOWN = sum(
    rows * columns * width for (rows, columns, _), width in zip(_SAMPLES, MAP_WIDTHS, strict=True)
)
"""Features that come from the maps; they precede those of geometry."""
INPUTS = SHOWN + 2 * 2 * JOINT_COUNT + 2 * JOINT_COUNT + 4 + 1
_GAIN = 5.0  # pixels of the crop
_TYPICAL_SIZE, _LEAST, _MOST = 1.2, -1.0, 4.0  # logarithms of pixels


class Around(NamedTuple):
    """What is known of each landmark of B crops.

    Attributes:
        features: (B, 21, ``INPUTS``).
        axes: (B, 21, 2, 2) rows: unit vectors along the landmark's bone and across it.
    """

    features: Tensor
    axes: Tensor


class LandmarkOffsets(nn.Module):
    """Moves landmarks to where they are seen.

    Args:
        inputs: features of a landmark; others than ``INPUTS`` only to fit it.
    """

    def __init__(self, inputs: int = INPUTS) -> None:
        super().__init__()
        self.landmark = nn.Linear(inputs, WIDTH)
        self.summary = nn.Linear(WIDTH, _OF_JOINT)
        self.hand = nn.Linear(_OF_JOINT * JOINT_COUNT, _OF_HAND)
        self.together = nn.Linear(WIDTH + _OF_HAND, WIDTH)
        self.offset = nn.Linear(WIDTH, 3)
        self.own_offset = nn.Parameter(torch.zeros(JOINT_COUNT, WIDTH, 2))
        self.identity = nn.Parameter(torch.randn(2, JOINT_COUNT, WIDTH) * 0.1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def forward(self, seen: SeenLandmarks, spread: Tensor, hints: Hints) -> SeenLandmarks:
        """The same, with landmarks that lie nearer to the truth in x and y."""
        around = around_landmarks(seen, spread, hints)
        offsets, _ = self.read(around.features)
        moved = torch.einsum("bjk,bjkd->bjd", offsets, around.axes)
        places = torch.cat([seen.landmarks[..., :2] + moved, seen.landmarks[..., 2:]], -1)
        return seen._replace(landmarks=places)

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 21, inputs) to (B, 21, 2) offsets along the bone and across it, pixels of the crop,
        and the logarithm of how far off they may be (B, 21)."""
        each = F.gelu(self.landmark(features) + self.identity[0])
        hand = F.gelu(self.hand(F.gelu(self.summary(each)).flatten(1)))
        hand = hand[:, None].expand(-1, JOINT_COUNT, -1)
        each = F.gelu(self.together(torch.cat([each, hand], -1)) + self.identity[1])
        found = self.offset(each)
        own = torch.einsum("bjh,jhk->bjk", each, self.own_offset)
        return _GAIN * found[..., :2] + own, (found[..., 2] + _TYPICAL_SIZE).clamp(_LEAST, _MOST)


def around_landmarks(seen: SeenLandmarks, spread: Tensor, hints: Hints) -> Around:
    """What the maps show around each landmark, where the others and the other hand's lie, how far
    off they may be, and their relief."""
    places, relief = seen.landmarks[..., :2], seen.landmarks[..., 2]
    axes = _axes(places)
    geometry = [
        _beside(places, places, axes),
        _beside(hints.joints[:, 1], places, axes) * hints.both[:, None, None],
        (spread.log() - _TYPICAL_SPREAD)[:, None].expand(-1, JOINT_COUNT, -1),
        (relief[:, None] - relief[:, :, None]) / _UNIT,
        axes.flatten(2),
        hints.both[:, None, None].expand(-1, JOINT_COUNT, 1),
    ]
    known = torch.cat(geometry, -1).clamp(-_REACH, _REACH)
    return Around(torch.cat([*_shown(seen.maps, places, axes), known], -1), axes)


def _axes(places: Tensor) -> Tensor:
    parents = torch.tensor([max(parent, 0) for parent in PARENTS], device=places.device)
    palm = (places[:, MIDDLE_MCP] - places[:, WRIST])[:, None].expand_as(places)
    bones = places - places[:, parents]
    length = bones.norm(dim=-1, keepdim=True)
    bones = torch.where(length > _SHORT, bones, palm)
    along = bones / bones.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    return torch.stack([along, torch.stack([-along[..., 1], along[..., 0]], -1)], -2)


def _beside(others: Tensor, places: Tensor, axes: Tensor) -> Tensor:
    """(B, 21, 42) where 21 others lie, seen from each place along its axes."""
    away = others[:, None] - places[:, :, None]
    return torch.einsum("bjkd,bjed->bjke", away, axes).flatten(2) / _UNIT


def _shown(maps: tuple[Tensor, ...], places: Tensor, axes: Tensor) -> list[Tensor]:
    """Of each map (B, 21, samples * C) around the places."""
    found = []
    for values, (rows, columns, step) in zip(maps, _SAMPLES, strict=True):
        points = places[:, :, None] + _grid(rows, columns, step).to(places) @ axes
        grid = (points + 0.5) / (INPUT_SIZE / 2) - 1
        sampled = F.grid_sample(values, grid, align_corners=False, padding_mode="border")
        found.append(sampled.permute(0, 2, 3, 1).flatten(2))
    return found


def _grid(rows: int, columns: int, step: float) -> Tensor:
    """(rows * columns, 2) places along a bone and across it; of a single row, a cross."""
    if rows == 1:
        return step * torch.tensor(_CROSS[:columns], dtype=torch.float32)
    along, across = (torch.arange(count) - (count - 1) / 2 for count in (rows, columns))
    return step * torch.stack(torch.meshgrid(along, across, indexing="ij"), -1).flatten(0, 1)
