"""One small residual image encoder, shared by every stage of the compact preset."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.presets import EncoderPreset
from im2hands_ros.networks.imagenet import ImageNetNormalisation
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

JOINT_MAPS = len(SIDES) * JOINT_COUNT


class ImageFeatures(NamedTuple):
    """Features of a crop that all stages read.

    Attributes:
        pixels: (B, C, S/4, S/4) features aligned with the crop's pixels.
        context: (B, D, S/32, S/32) coarse features for attention tokens.
        joints: (B, 42, S/4, S/4) heat maps of the joints, left hand's 21 first; the softmax over a
            map is the distribution of the joint's position.
    """

    pixels: Tensor
    context: Tensor
    joints: Tensor


class ImageEncoder(nn.Module):
    """Residual stages at strides 4 to 32 and a top-down path back to stride 4."""

    def __init__(self, preset: EncoderPreset) -> None:
        super().__init__()
        widths = preset.stage_widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        inputs = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(ResidualBlock(i, o, stride=2), ResidualBlock(o, o))
            for i, o in zip(inputs, widths, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(w, preset.feature_width * 2, 1) for w in widths)
        self.smooth = nn.Conv2d(preset.feature_width * 2, preset.feature_width, 3, padding=1)
        # Neither, left, right hand: supervised in training, so that features separate the sides.
        self.mask_head = nn.Conv2d(preset.feature_width, 3, 1)
        self.joint_head = nn.Conv2d(preset.feature_width * 2, JOINT_MAPS, 3, padding=1)
        self.normalise = ImageNetNormalisation()

    def forward(self, image: Tensor) -> ImageFeatures:
        """(B, 3, S, S) RGB in [0, 1] to features."""
        x = self.stem(self.normalise(image))
        stages = []
        for stage in self.stages:
            x = stage(x)
            stages.append(x)
        top = self.lateral[-1](stages[-1])
        for lateral, features in zip(
            reversed(self.lateral[:-1]), reversed(stages[:-1]), strict=True
        ):
            top = F.interpolate(top, scale_factor=2, mode="bilinear", align_corners=False)
            top = top + lateral(features)
        top = F.relu(top)
        return ImageFeatures(self.smooth(top), stages[-1], self.joint_head(top))

    def masks(self, features: ImageFeatures) -> Tensor:
        """(B, 3, S/4, S/4) logits of none, left hand, right hand."""
        return self.mask_head(F.relu(features.pixels))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet basic block)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        residual = F.relu(self.first_norm(self.first(x)), inplace=True)
        residual = self.second_norm(self.second(residual))
        return F.relu(residual + self.shortcut(x), inplace=True)
