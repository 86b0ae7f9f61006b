"""The occupancy field of a frame's hands, evaluated by the native library."""

from __future__ import annotations

import ctypes
import weakref
from ctypes import POINTER, c_float
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.kernels import packing
from im2hands_ros.kernels.library import Library
from im2hands_ros.networks.compact.initial_occupancy import InitialContext, InitialOccupancy
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext, RefinedOccupancy
from im2hands_ros.networks.protocol import HandContext

_ROW = POINTER(c_float)
# Points are moved to within this many metres of the palm, where float32 resolves 8 micrometres.
_FURTHEST = 100.0


class NativeNetwork:
    """The weights of the compact networks in the library's memory."""

    def __init__(
        self, library: Library, initial: InitialOccupancy, refinement: RefinedOccupancy | None
    ) -> None:
        block = packing.weights(initial, refinement)
        self.library = library
        self.handle = library.checked(library.network_new(block.ctypes.data, block.size))
        weakref.finalize(self, library.network_free, self.handle)

    @classmethod
    def fits(cls, initial: InitialOccupancy, refinement: RefinedOccupancy | None) -> bool:
        """Whether networks have the sizes that the library is compiled for, and lie on a CPU."""
        known = initial.preset == COMPACT.initial and initial.query[0].weight.device.type == "cpu"
        return known and (refinement is None or refinement.preset == COMPACT.refinement)


class NativeFrame:
    """What the library knows of a frame's one or two hands."""

    def __init__(self, network: NativeNetwork, context: InitialContext) -> None:
        self.network, self.library = network, network.library
        blocks = packing.hands(context)
        height, width = context.pixels.shape[2:]
        tokens = context.memory.keys.shape[2]
        self.handle = self.library.checked(
            self.library.frame_new(
                network.handle, _rows(blocks), len(blocks), blocks.shape[1], height, width, tokens
            )
        )
        weakref.finalize(self, self.library.frame_free, self.handle)

    def refine(self, context: RefinedContext) -> None:
        """Add the hands' anchors: from now on refined logits can be evaluated."""
        blocks, count = packing.anchors(context), context.memory.positions.shape[1]
        self.library.checked(
            self.library.frame_refine(self.handle, _rows(blocks), blocks.shape[1], count)
        )


@dataclass(frozen=True)
class NativeField:
    """Logits of some of a frame's hands. Indexed as a tensor of these hands is.

    Attributes:
        hands: their numbers in the frame. refined: whether the hands know of each other.
    """

    frame: NativeFrame
    hands: tuple[int, ...]
    refined: bool = False

    def __call__(self, points_palm: Tensor) -> Tensor:
        """Logits (H, N), millimetres of depth, of (H, N, 3) float32 points, each hand's in its palm
        frame, metres. Raises KernelError for coordinates that are not finite."""
        library = self.frame.library
        library.use_torch_threads()
        points = points_palm.clamp(-_FURTHEST, _FURTHEST).float().contiguous()
        logits = torch.empty(points.shape[:2])
        for hand, own, into in zip(self.hands, points, logits, strict=True):
            refused = library.logits(
                self.frame.handle, hand, self.refined, own.data_ptr(), len(own), into.data_ptr()
            )
            library.checked(refused)
        return logits

    def __getitem__(self, index: slice | list[int] | Tensor) -> NativeField:
        hands = torch.tensor(self.hands)[index].tolist()
        return NativeField(self.frame, tuple(hands), self.refined)


@dataclass(frozen=True, eq=False)
class NativeInitialContext(InitialContext):
    """An initial context whose query points the library evaluates."""

    native: NativeField

    def logits(self, points_palm: Tensor) -> Tensor:
        """Millimetres of depth inside of each hand."""
        return self.native(points_palm)


@dataclass(frozen=True, eq=False)
class NativeRefinedContext(RefinedContext):
    """A refined context whose query points the library evaluates."""

    native: NativeField

    def logits(self, points_palm: Tensor) -> Tensor:
        """Millimetres of depth inside of each hand."""
        return self.native(points_palm)


def native_initial(network: NativeNetwork, context: InitialContext) -> InitialContext:
    """The same context with native logits, of one or two hands."""
    native = NativeField(NativeFrame(network, context), tuple(range(len(context.intrinsics))))
    return NativeInitialContext(**_values(context), native=native)


def native_refined(context: RefinedContext) -> RefinedContext:
    """The same context with native logits where its initial context has them."""
    if not isinstance(context.initial, NativeInitialContext):
        return context
    initial = context.initial.native
    initial.frame.refine(context)
    native = NativeField(initial.frame, initial.hands, refined=True)
    return NativeRefinedContext(**_values(context), native=native)


def native_field(context: HandContext) -> NativeField | None:
    """The field of a context that the library evaluates, None for others."""
    if isinstance(context, (NativeInitialContext, NativeRefinedContext)):
        return context.native
    return None


def _values(context: InitialContext | RefinedContext) -> dict[str, Any]:
    return {each.name: getattr(context, each.name) for each in fields(context)}


def _rows(blocks: packing.Block) -> ctypes.Array[ctypes._Pointer[c_float]]:
    assert blocks.dtype == np.float32 and blocks.flags.c_contiguous
    return (_ROW * len(blocks))(*(row.ctypes.data_as(_ROW) for row in blocks))
