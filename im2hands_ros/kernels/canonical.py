"""Canonical frames of hands, by the native library."""

from __future__ import annotations

import torch
from torch import Tensor

from im2hands_ros.canonical import BONE_SLOT_COUNT, CanonicalHands
from im2hands_ros.kernels.library import Library

# Of each attribute of CanonicalHands but the last, in order.
FRAME_SHAPES = tuple(
    map(
        torch.Size,
        ((3, 3), (3,), (BONE_SLOT_COUNT, 3, 4), (BONE_SLOT_COUNT,), (5, 3, 4), (5,), (21, 3)),
    )
)
_SIZES = [shape.numel() for shape in FRAME_SHAPES]


def canonicalise(library: Library, joints: Tensor, mirrored: Tensor) -> CanonicalHands:
    """What `im2hands_ros.canonical.canonicalise` computes of float32 joints (B, 21, 3) and a mask
    (B,), without gradients. Raises KernelError for joints that are not finite."""
    given, sides = joints.float().contiguous(), mirrored.to(torch.uint8).contiguous()
    frames = torch.empty(len(given), sum(_SIZES))
    library.checked(
        library.canonicalise(given.data_ptr(), sides.data_ptr(), len(given), frames.data_ptr())
    )
    parts = zip(frames.split(_SIZES, 1), FRAME_SHAPES, strict=True)
    return CanonicalHands._make([*(part.unflatten(1, shape) for part, shape in parts), mirrored])
