"""The compact preset's image encoder, by the native library."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from im2hands_ros.kernels.field import Block
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact.image_encoder import ImageEncoder, ImageFeatures, ResidualBlock
from im2hands_ros.networks.compact.presets import COMPACT

_PRESET = COMPACT.initial.encoder


class NativeEncoder:
    """What an `ImageEncoder` of the preset's size computes, from a copy of its weights."""

    def __init__(self, library: Library, encoder: ImageEncoder) -> None:
        block = encoder_weights(encoder)
        self._library = library
        self._handle = library.checked(
            library.encoder_new(block.ctypes.data, block.size, _PRESET.image_size)
        )
        weakref.finalize(self, library.encoder_free, self._handle)

    def __call__(self, image: Tensor) -> ImageFeatures:
        """(B, 3, S, S) float32 RGB in [0, 1] to features; pixels and context channels last."""
        library, side = self._library, _PRESET.image_size
        library.use_torch_threads()
        rows = image.float().permute(0, 2, 3, 1).contiguous()
        if rows.shape[1:] != (side, side, 3):
            raise ValueError(f"an image of shape {tuple(image.shape)}: give (B, 3, {side}, {side})")
        pixels = rows.new_empty(len(rows), side // 4, side // 4, _PRESET.feature_width)
        context = rows.new_empty(len(rows), side // 32, side // 32, _PRESET.stage_widths[-1])
        joints = rows.new_empty(len(rows), 42, side // 4, side // 4)
        for parts in zip(rows, pixels, context, joints, strict=True):
            addresses = [part.data_ptr() for part in parts]
            library.checked(library.encoder_run(self._handle, *addresses))
        return ImageFeatures(pixels.permute(0, 3, 1, 2), context.permute(0, 3, 1, 2), joints)


@torch.no_grad()
def encoder_weights(encoder: ImageEncoder) -> Block:
    """All weights in the order of `Encoder::read` (src/encoder.h)."""
    stem, norm = encoder.stem[0], encoder.stem[1]
    convolutions = [_fused(stem, norm)]
    for stage in encoder.stages:
        assert isinstance(stage, nn.Sequential)
        for block in stage:
            convolutions += _residual(block)
    convolutions += [*encoder.lateral, encoder.smooth, encoder.joint_head]
    # The deviation of the colours belongs to the first weights, the mean is taken off the image.
    first = convolutions[0].weight / encoder.normalise.deviation
    parts = [encoder.normalise.mean, *_parts(first, convolutions[0].bias)]
    for each in convolutions[1:]:
        parts += _parts(each.weight, each.bias)
    return torch.cat([part.float().flatten() for part in parts]).numpy()


def _residual(block: nn.Module) -> list[nn.Conv2d]:
    assert isinstance(block, ResidualBlock)
    both = [_fused(block.first, block.first_norm), _fused(block.second, block.second_norm)]
    return both + ([block.shortcut] if isinstance(block.shortcut, nn.Conv2d) else [])


def _fused(convolution: nn.Module, norm: nn.Module) -> nn.Conv2d:
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(convolution, norm)


def _parts(weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    """Weights [kernel][kernel][in][out] and bias."""
    assert bias is not None
    return [weight.permute(2, 3, 1, 0), bias]
