"""The published image encoder: ResNet-50 and two top-down decoders (IntagHand, CVPR 2022, 3.1).

Every published network has one of its own with separate weights. Both decoders only read the
deepest stage; the heatmaps and masks that they were trained to draw are not needed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.imagenet import ImageNetNormalisation

IMAGE_SIZE = 256
DECODER_WIDTH = 128
_BLOCK_COUNTS = (3, 4, 6, 3)


class PaperFeatures(NamedTuple):
    """Features of (B, 3, 256, 256) crops that the published networks read.

    Attributes:
        shallow: (B, 256, 64, 64) first residual stage ("x4").
        heat: four (B, 128, s, s), s = 8, 16, 32, 64, of the joint-heatmap decoder ("hms").
        dense: the same of the mask and dense-pose decoder ("dp").
    """

    shallow: Tensor
    heat: tuple[Tensor, ...]
    dense: tuple[Tensor, ...]

    @property
    def finest(self) -> Tensor:
        """(B, 256, 64, 64): both decoders' last maps."""
        return torch.cat([self.heat[-1], self.dense[-1]], dim=1)


class PaperImageEncoder(nn.Module):
    """ResNet-50, heatmap decoder and dense-pose decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.heat = TopDown(2048, DECODER_WIDTH)
        self.dense = TopDown(2048, DECODER_WIDTH)
        self.normalise = ImageNetNormalisation()

    def forward(self, image: Tensor) -> PaperFeatures:
        """(B, 3, 256, 256) RGB in [0, 1] to features."""
        return self.from_normalised(self.normalise(image))

    def from_normalised(self, image: Tensor) -> PaperFeatures:
        """(B, 3, 256, 256) with ImageNet's mean and deviation removed, to features."""
        stages = self.backbone(image)
        return PaperFeatures(stages[0], self.heat(stages[-1]), self.dense(stages[-1]))


class ResNet50(nn.Module):
    """Deep residual network with bottleneck blocks (He et al., CVPR 2016; stride in the 3x3)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(64)
        self.stages = nn.ModuleList()
        inputs = 64
        for stage, count in enumerate(_BLOCK_COUNTS):
            width, stride = 64 << stage, 1 if stage == 0 else 2
            blocks = [Bottleneck(inputs, width, stride)]
            inputs = width * Bottleneck.EXPANSION
            blocks += [Bottleneck(inputs, width, 1) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, S, S) to four maps: 256, 512, 1024, 2048 channels at strides 4, 8, 16, 32."""
        x = F.relu(self.stem_norm(self.stem(image)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut.

    Attributes:
        fused: what computes the same faster, if anything.
    """

    EXPANSION = 4
    fused: Callable[[Tensor], Tensor] | None = None

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.EXPANSION
        self.first = nn.Conv2d(inputs, width, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.third = nn.Conv2d(width, outputs, 1, bias=False)
        self.third_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        self.shortcut_norm: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 width, H/stride, W/stride)."""
        if self.fused:
            return self.fused(x)
        residual = F.relu(self.first_norm(self.first(x)), inplace=True)
        residual = F.relu(self.second_norm(self.second(residual)), inplace=True)
        residual = self.third_norm(self.third(residual))
        return F.relu(residual + self.shortcut_norm(self.shortcut(x)), inplace=True)


class TopDown(nn.ModuleList):
    """Four maps from the deepest one, each twice as fine as the last."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__([UpStage(inputs, width, 1), *(UpStage(width, width, 3) for _ in range(3))])

    def forward(self, deepest: Tensor) -> tuple[Tensor, ...]:
        """(B, inputs, 8, 8) to four (B, width, s, s), s = 8, 16, 32, 64."""
        maps = [self[0](deepest)]
        for stage in list(self)[1:]:
            x = F.interpolate(maps[-1], scale_factor=2, mode="bilinear", align_corners=True)
            maps.append(stage(x))
        return tuple(maps)


class UpStage(nn.Module):
    """Convolution, ReLU, then batch norm: the published order.

    Attributes:
        fused: what computes the first two faster, if anything.
    """

    fused: Callable[[Tensor], Tensor] | None = None

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        if self.fused:
            return self.norm(self.fused(x))
        return self.norm(F.relu(self.conv(x), inplace=True))
