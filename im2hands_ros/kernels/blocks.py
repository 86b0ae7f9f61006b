"""Blocks of self-attention, by the native library."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from im2hands_ros.kernels import packing
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.attention import AttentionBlock, AttentionBlocks


class NativeBlocks:
    """What `AttentionBlocks` compute, from a copy of their weights."""

    def __init__(self, library: Library, blocks: AttentionBlocks) -> None:
        block, first = packing.attention_blocks(blocks), blocks[0]
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


def use_in(networks: nn.Module, library: Library) -> None:
    """Let the library compute all blocks of self-attention in these networks."""
    for part in networks.modules():
        if isinstance(part, AttentionBlocks):
            part.native = NativeBlocks(library, part)
