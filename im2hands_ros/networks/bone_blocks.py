"""Group (point, bone) pairs by bone into equal blocks, so that one batched product serves all.

A point concerns only the few bones around it. Pairs sorted by bone and cut into blocks of equal
size, each block of one bone, turn the sparse work into dense batched products with almost no
padding, whose shapes depend on the number of pairs alone: nothing waits for the device.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK_SIZE = 128


class BoneBlocks(NamedTuple):
    """Where each pair lies among the blocks.

    Attributes:
        pair_of_row: (T * BLOCK_SIZE,) pair held by each row; rows that only pad hold pair 0.
        row_of_pair: (P,) row that holds each pair.
        bone_of_block: (T,) bone slot of each block.
    """

    pair_of_row: Tensor
    row_of_pair: Tensor
    bone_of_block: Tensor

    def gather(self, rows: Tensor, index_of_pair: Tensor) -> Tensor:
        """Rows (R, C) picked by each pair, laid out as (T, BLOCK_SIZE, C)."""
        picked = rows.index_select(0, index_of_pair.index_select(0, self.pair_of_row))
        return picked.unflatten(0, (-1, BLOCK_SIZE))

    def scatter(self, blocks: Tensor) -> Tensor:
        """(T, BLOCK_SIZE) results back to (P,) pairs."""
        return blocks.flatten().index_select(0, self.row_of_pair)


def group_by_bone(bone_of_pair: Tensor, bone_count: int) -> BoneBlocks:
    """Lay out (P,) pairs, given the bone slot of each, in blocks of one bone each."""
    pairs = bone_of_pair.numel()
    device = bone_of_pair.device
    sorted_bone, order = torch.sort(bone_of_pair.to(torch.uint8))
    sorted_bone = sorted_bone.long()
    counts = torch.bincount(sorted_bone, minlength=bone_count)
    blocks_per_bone = (counts + BLOCK_SIZE - 1) // BLOCK_SIZE
    first_block = blocks_per_bone.cumsum(0) - blocks_per_bone
    first_pair = counts.cumsum(0) - counts
    # An upper bound instead of the exact sum: the shape must not depend on device data.
    block_count = pairs // BLOCK_SIZE + bone_count
    rank = torch.arange(pairs, device=device) - first_pair[sorted_bone]
    row = first_block[sorted_bone] * BLOCK_SIZE + rank
    pair_of_row = torch.zeros(block_count * BLOCK_SIZE, dtype=torch.long, device=device)
    pair_of_row[row] = order
    row_of_pair = torch.empty_like(order)
    row_of_pair[order] = row
    block = torch.arange(block_count, device=device)
    bone_of_block = torch.searchsorted(blocks_per_bone.cumsum(0), block, right=True)
    return BoneBlocks(pair_of_row, row_of_pair, bone_of_block.clamp_max(bone_count - 1))
