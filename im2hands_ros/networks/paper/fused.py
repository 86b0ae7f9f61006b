"""Convolutions of the published image encoder that normalise, add and clip in one pass, by oneDNN.

PyTorch gives 1x1 convolutions of one image on one thread to a library that does not use AVX-512 on
every processor that has it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from im2hands_ros.networks.paper.image_encoder import Bottleneck, PaperImageEncoder, UpStage


class FusedConvolution:
    """A convolution and the batch norm after it, if any, from a copy of their weights."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.Module | None, active: bool) -> None:
        weight, bias = convolution.weight, convolution.bias
        if isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(convolution, norm)
            weight, bias = fused.weight, fused.bias
        self._weight, self._bias = weight.detach(), None if bias is None else bias.detach()
        self._padding = [int(size) for size in convolution.padding]
        self._stride = list(convolution.stride)
        self._then = "relu" if active else "none"
        self._packed, self._packed_for = self._weight, torch.Size()

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in channels last to the same, normalised, and not below 0 where active."""
        if x.shape != self._packed_for:
            # The order that oneDNN wants depends on the size; made once, not with every image.
            reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            size = (self._padding, self._stride, [1, 1], 1, [*x.shape])
            self._packed = reorder(self._weight.to_mkldnn(), *size)
            self._packed_for = x.shape
        return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]
            *(x, self._packed, self._bias, self._padding, self._stride),
            *([1, 1], 1, self._then, [], ""),
        )


class FusedBottleneck:
    """What a `Bottleneck` computes, from a copy of its weights."""

    def __init__(self, block: Bottleneck) -> None:
        self._layers = [
            FusedConvolution(block.first, block.first_norm, active=True),
            FusedConvolution(block.second, block.second_norm, active=True),
            FusedConvolution(block.third, block.third_norm, active=False),
        ]
        self._shortcut: nn.Module | FusedConvolution = block.shortcut
        if isinstance(block.shortcut, nn.Conv2d):
            self._shortcut = FusedConvolution(block.shortcut, block.shortcut_norm, active=False)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 width, H/stride, W/stride)."""
        residual = x = x.contiguous(memory_format=torch.channels_last)
        for layer in self._layers:
            residual = layer(residual)
        return residual.add_(self._shortcut(x)).relu_()


def fuse(encoder: PaperImageEncoder) -> None:
    """Make inference on a CPU in float32 fast; weights must not change afterwards."""
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        for block in encoder.modules():
            if isinstance(block, Bottleneck):
                block.fused = FusedBottleneck(block)
            elif isinstance(block, UpStage):
                block.fused = FusedConvolution(block.conv, None, active=True)
