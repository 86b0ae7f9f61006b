"""The occupancy field of a frame's hands on a device: logits of lists whose counts stay there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from im2hands_ros.kernels.gpu import layout
from im2hands_ros.kernels.gpu.points import TILE, PointList

# Warps of a program: with these the kernel spills fewest registers on sm_90.
_WARPS = 8


class Blocks(NamedTuple):
    """A frame's hands as packed floats on the device (`layout`).

    Attributes:
        hands: (H, count). anchors: (H, count) of refined hands, None for initial logits.
        numbers: (L,) int64, which of the hands a list's points are of.
    """

    hands: Tensor
    anchors: Tensor | None
    numbers: Tensor


class Evaluator(Protocol):
    """The network's weights: logits (C,) of lists of points in the palm frames, metres."""

    def __call__(self, points: PointList, blocks: Blocks) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class DeviceField:
    """Logits of some of a frame's hands. Indexed as a tensor of these hands is.

    Attributes:
        evaluator: of the weights. blocks: the hands.
    """

    evaluator: Evaluator
    blocks: Blocks

    def __call__(self, points_palm: Tensor) -> Tensor:
        """Logits (H, N), millimetres of depth, of (H, N, 3) points in the palm frames, metres."""
        hands, count, _ = points_palm.shape
        listed = PointList.of_hands(points_palm)
        return listed.in_rows(self.of_list(listed), hands, count)

    def of_list(self, points: PointList) -> Tensor:
        """Logits (C,) of a list; those of unused slots are any."""
        return self.evaluator(points, self.blocks)

    def __getitem__(self, index: slice | list[int] | Tensor) -> DeviceField:
        return DeviceField(self.evaluator, self.blocks._replace(numbers=self.blocks.numbers[index]))


class TritonField:
    """An evaluator by the Triton kernel.

    Args:
        weights: packed floats on the device.
        sizes: height and width of the image features, and tokens of the image.
        precision: of the features' products, ``ieee`` or ``tf32``.
    """

    def __init__(
        self, weights: Tensor, sizes: tuple[int, int, int], precision: str = "ieee"
    ) -> None:
        # Not at the top: without Triton everything else here works.
        from im2hands_ros.kernels.gpu.field_triton import logits_kernel

        self._kernel, self._weights, self._precision = logits_kernel, weights, precision
        self._sizes = {"HEIGHT": sizes[0], "COLUMNS": sizes[1], "TOKENS": sizes[2]}
        self._sizes["PAD"] = 1 << max(sizes[2] - 1, 15).bit_length()
        self._floats = layout.hand(*sizes).size

    def __call__(self, points: PointList, blocks: Blocks) -> Tensor:
        """Logits of a list of points."""
        hands, anchors, numbers = blocks
        out = torch.empty(len(points.points), device=points.points.device)
        count = 0 if anchors is None else _anchors_in(anchors.shape[1])
        grid = (-(-len(out) // TILE),)
        self._kernel[grid](
            points.points.contiguous(),
            points.begin,
            points.end,
            numbers,
            self._weights,
            hands,
            hands if anchors is None else anchors,
            out,
            LISTED=len(numbers),
            FLOATS=self._floats,
            ANCHOR_FLOATS=0 if anchors is None else anchors.shape[1],
            COUNT=count,
            TURNS=2 if count and len(hands) == 2 else 1,
            TILE=TILE,
            PRECISION=self._precision,
            **self._sizes,
            num_warps=_WARPS,
        )
        return out


def _anchors_in(floats: int) -> int:
    """How many anchors a hand's block of so many floats holds."""
    each = 2 * layout.HEADS * layout.ANCHOR_KEY * 2 + 3
    count = 2 * ((floats - 13) // each)
    assert layout.anchors(count).size == floats, f"no block of anchors has {floats} floats"
    return count


def triton_is_there(device: torch.device) -> bool:
    """Whether Triton can be imported and runs on the device: a GPU, or a CPU under its interpreter
    (the environment variable TRITON_INTERPRET)."""
    if find_spec("triton") is None:
        return False
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET", "0") not in ("", "0")
