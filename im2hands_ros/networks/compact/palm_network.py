"""MediaPipe's palm detection network: a picture to palms, each an anchor's score and seven joints.

"MediaPipe Hands: On-device Real-time Hand Tracking" (Zhang et al., 2020), file
``palm_detection_full.tflite``: blocks of a depthwise and a pointwise convolution around a shortcut,
down to stride 32 and up again to strides 16 and 8, where every cell has anchors.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.landmark_network import SameConv, fuse_convolutions
from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, PINKY_MCP, RING_MCP, WRIST

INPUT_SIZE = 192
# Joints (MANO order) that are found of a palm.
PALM_JOINTS = (WRIST, INDEX_MCP, MIDDLE_MCP, RING_MCP, PINKY_MCP, 1, 2)
# Cells along a side -> anchors in each; in the order of the network's answers.
GRIDS = {24: 2, 12: 6}
# Channels and blocks of each level on the way down; all levels but the first halve the size.
_LEVELS = ((32, 4), (64, 5), (128, 5), (256, 5), (256, 5))
_KERNEL = 5
_BOX = 4  # numbers before the joints: a box of the palm, which is not used here


class SeenPalms(NamedTuple):
    """Of B pictures and 2016 anchors.

    Attributes:
        logits: (B, 2016) of a palm being there.
        joints: (B, 2016, 7, 2) ``PALM_JOINTS``, pixels of the picture, the first one's centre at 0.
    """

    logits: Tensor
    joints: Tensor


class PalmBlock(nn.Module):
    """Depthwise and pointwise convolution around a shortcut; stride 2 where ``halves``."""

    def __init__(self, inputs: int, outputs: int, halves: bool = False) -> None:
        super().__init__()
        stride = 2 if halves else 1
        self.depthwise = SameConv(inputs, inputs, _KERNEL, stride, inputs, active=False)
        self.pointwise = SameConv(inputs, outputs, active=False)
        self.active = nn.PReLU(outputs)
        self._halves, self._added = halves, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), or half of both."""
        shortcut = F.max_pool2d(x, 2) if self._halves else x
        if self._added:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self._added))
        return self.active(self.pointwise(self.depthwise(x)) + shortcut)  # type: ignore[no-any-return]


class Rise(nn.Module):
    """Twice the size, added to what came by on the way down, and two blocks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pointwise = SameConv(inputs, outputs, active=False)
        self.active = nn.PReLU(outputs)
        self.blocks = nn.Sequential(PalmBlock(outputs, outputs), PalmBlock(outputs, outputs))

    def forward(self, x: Tensor, passed: Tensor) -> Tensor:
        """(B, inputs, H, W) and (B, outputs, 2 H, 2 W) to the latter."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.blocks(passed + self.active(self.pointwise(x)))  # type: ignore[no-any-return]


class PalmHead(nn.Module):
    """Answers of a grid's anchors."""

    def __init__(self, inputs: int, anchors: int) -> None:
        super().__init__()
        self.score = SameConv(inputs, anchors, active=False)
        self.place = SameConv(inputs, anchors * (_BOX + 2 * len(PALM_JOINTS)), active=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, H, W) to logits (B, A) and joints from the anchor (B, A, 7, 2), pixels."""
        logits = self.score(x).permute(0, 2, 3, 1).flatten(1)
        places = self.place(x).permute(0, 2, 3, 1).reshape(*logits.shape, -1)
        return logits, places[..., _BOX:].unflatten(2, (len(PALM_JOINTS), 2))


class PalmNetwork(nn.Module):
    """Palms in a picture; submodules stand in the order of the stored network."""

    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        width, count = _LEVELS[0]
        self.stem = SameConv(3, width, _KERNEL, 2, active=False)
        self.active = nn.PReLU(width)
        levels = [nn.Sequential(*(PalmBlock(width, width) for _ in range(count)))]
        for outputs, count in _LEVELS[1:]:
            blocks = [PalmBlock(width, outputs, halves=True)]
            blocks += [PalmBlock(outputs, outputs) for _ in range(count - 1)]
            levels.append(nn.Sequential(*blocks))
            width = outputs
        self.levels = nn.ModuleList(levels)
        fine, coarse = _LEVELS[2][0], _LEVELS[3][0]
        self.coarse_rise, self.coarse_head = Rise(width, coarse), PalmHead(coarse, GRIDS[12])
        self.fine_rise, self.fine_head = Rise(coarse, fine), PalmHead(fine, GRIDS[24])
        self.register_buffer("anchors", anchor_places(), persistent=False)

    def forward(self, image: Tensor) -> SeenPalms:
        """(B, 3, 192, 192) RGB in [0, 1], black where no picture is."""
        x = self.active(self.stem(image))
        passed = []
        for level in self.levels:
            x = level(x)
            passed.append(x)
        coarse = self.coarse_rise(x, passed[3])
        fine = self.fine_rise(coarse, passed[2])
        answers = (self.fine_head(fine), self.coarse_head(coarse))
        logits, joints = (torch.cat(parts, 1) for parts in zip(*answers, strict=True))
        return SeenPalms(logits, joints + self.anchors[:, None])

    def fuse(self) -> None:
        """As `LandmarkNetwork.fuse`."""
        fuse_convolutions(self)


def anchor_places() -> Tensor:
    """(2016, 2) middle of each anchor's cell, pixels, the first pixel's centre at (0, 0)."""
    places = []
    for cells, anchors in GRIDS.items():
        middle = (torch.arange(cells) + 0.5) * (INPUT_SIZE / cells) - 0.5
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        places.append(torch.stack([x, y], -1).reshape(-1, 2).repeat_interleave(anchors, 0))
    return torch.cat(places)
