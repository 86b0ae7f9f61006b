"""Blocks of self-attention, by the native library."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from im2hands_ros.kernels.field import Block
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.attention import AttentionBlock, AttentionBlocks


class NativeBlocks:
    """What `AttentionBlocks` compute, from a copy of their weights."""

    def __init__(self, library: Library, blocks: AttentionBlocks) -> None:
        block, first = block_weights(blocks), blocks[0]
        assert isinstance(first, AttentionBlock)
        width = first.heads * first.head_width
        self._library = library
        self._handle = library.checked(
            library.blocks_new(block.ctypes.data, block.size, len(blocks), width, first.heads)
        )
        weakref.finalize(self, library.blocks_free, self._handle)

    def __call__(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, width) tokens and (B, T) bool or None to new tokens."""
        library = self._library
        library.use_torch_threads()
        result = tokens.float().clone(memory_format=torch.contiguous_format)
        attended = None if mask is None else mask.to(torch.uint8).contiguous()
        library.checked(
            library.blocks_run(
                self._handle,
                result.data_ptr(),
                *result.shape[:2],
                None if attended is None else attended.data_ptr(),
            )
        )
        return result


def use_native_attention(networks: nn.Module, library: Library) -> None:
    """Let the library compute all blocks of self-attention in these networks."""
    for part in networks.modules():
        if isinstance(part, AttentionBlocks):
            part.native = NativeBlocks(library, part)


@torch.no_grad()
def block_weights(blocks: AttentionBlocks) -> Block:
    """The weights of blocks of self-attention as one block of floats."""
    known = [block for block in blocks if isinstance(block, AttentionBlock)]
    parts = [part for block in known for part in attention_weights(block)]
    return torch.cat([part.float().flatten() for part in parts]).numpy()


def attention_weights(block: AttentionBlock) -> list[Tensor]:
    """What `src/blocks.h` reads of a block."""
    scale, norm = block.head_width**-0.5, block.norm
    normed = [
        (block.query.weight * scale, block.query.bias * scale),
        (block.key.weight, block.key.bias),
        (block.value.weight, block.value.bias),
    ]
    return [
        torch.cat([(weight * norm.weight).T for weight, _ in normed], 1),
        torch.cat([weight @ norm.bias + bias for weight, bias in normed]),
        *layer_weights(block.output),
        *_feed_forward(block),
    ]


def _feed_forward(block: AttentionBlock) -> list[Tensor]:
    norm, first = block.feed_norm, block.feed_first
    bias = first.weight @ norm.bias + first.bias
    return [(first.weight * norm.weight).T, bias, *layer_weights(block.feed_second)]


def layer_weights(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights [input][output] of a linear layer, and its bias."""
    assert isinstance(layer, nn.Linear)
    return layer.weight.T, layer.bias
