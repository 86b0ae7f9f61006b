"""Group (point, bone) pairs by bone into equal blocks, so that one batched product serves all.

A point concerns only the few bones around it. Pairs sorted by bone and cut into blocks of equal
size, each block of one bone of one hand, turn the sparse work into dense batched products with
little padding. Their shapes depend on the number of pairs alone, so that nothing waits for a GPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_SMALLEST_BLOCK, _LARGEST_BLOCK = 16, 128


class BoneBlocks(NamedTuple):
    """Where each pair lies among the blocks.

    Attributes:
        pair_of_row: (T * size,) pair held by each row; rows that only pad hold pair 0.
        row_of_pair: (P,) row that holds each pair.
        bone_of_block: (T,) bone of each block.
        size: rows of a block.
    """

    pair_of_row: Tensor
    row_of_pair: Tensor
    bone_of_block: Tensor
    size: int

    def gather(self, table: Tensor, index_of_row: Tensor) -> Tensor:
        """Entries (R, C) of a table picked by each row, laid out as (T, size, C)."""
        return table.index_select(0, index_of_row).unflatten(0, (-1, self.size))

    def scatter(self, blocks: Tensor) -> Tensor:
        """(T, size) results back to (P,) pairs."""
        return blocks.flatten().index_select(0, self.row_of_pair)


def group_by_bone(bone_of_pair: Tensor, bone_count: int) -> BoneBlocks:
    """Lay out (P,) pairs, given the bone of each, in blocks of one bone each."""
    pairs, device = bone_of_pair.numel(), bone_of_pair.device
    size = _block_size(pairs, bone_count)
    sorted_bone, order = torch.sort(bone_of_pair.to(torch.uint8 if bone_count < 256 else torch.int))
    sorted_bone = sorted_bone.long()
    counts = torch.bincount(sorted_bone, minlength=bone_count)
    blocks_per_bone = (counts + size - 1) // size
    end_block = blocks_per_bone.cumsum(0)
    # Row of a pair: its rank among all pairs, moved by the padding of the bones before.
    moved = (end_block - blocks_per_bone) * size - (counts.cumsum(0) - counts)
    row = torch.arange(pairs, device=device) + moved.index_select(0, sorted_bone)
    # On a GPU an upper bound: the shape must not depend on data there.
    block_count = int(end_block[-1]) if device.type == "cpu" else pairs // size + bone_count
    pair_of_row = torch.zeros(block_count * size, dtype=torch.long, device=device)
    pair_of_row.scatter_(0, row, order)
    row_of_pair = torch.empty_like(order).scatter_(0, order, row)
    block = torch.arange(block_count, device=device)
    bone_of_block = torch.searchsorted(end_block, block, right=True).clamp_max(bone_count - 1)
    return BoneBlocks(pair_of_row, row_of_pair, bone_of_block, size)


def _block_size(pairs: int, bones: int) -> int:
    """About half of what a bone has, so that its last block is not mostly padding."""
    size = _SMALLEST_BLOCK
    while size < _LARGEST_BLOCK and 4 * size * bones <= pairs:
        size *= 2
    return size
