"""The occupancy field of a frame's hands, evaluated by the library.

Weights, image and hands come as the blocks of floats that `src/network.h` reads.
"""

from __future__ import annotations

import ctypes
import weakref
from ctypes import POINTER, c_float
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.kernels.library import Library

Block = NDArray[np.float32]

_ROW = POINTER(c_float)
# Points are moved to within this many metres of the palm, where float32 resolves 8 micrometres.
_FURTHEST = 100.0


class ImageSizes(NamedTuple):
    """Of the image features, and how many tokens there are of the image."""

    height: int
    width: int
    tokens: int


class NativeNetwork:
    """The weights of a network in the library's memory: a block of struct Network."""

    def __init__(self, library: Library, weights: Block) -> None:
        self.library = library
        self.handle = library.checked(library.network_new(weights.ctypes.data, weights.size))
        weakref.finalize(self, library.network_free, self.handle)


class NativeImage:
    """What query points read of a crop, whichever hand's they are: a block of struct Image."""

    def __init__(self, network: NativeNetwork, image: Block, sizes: ImageSizes) -> None:
        self.network, library = network, network.library
        self.handle = library.checked(library.image_new(image.ctypes.data, image.size, *sizes))
        weakref.finalize(self, library.image_free, self.handle)


class NativeFrame:
    """What the library knows of one or two hands in an image: a block (H, count) of struct Hand."""

    def __init__(self, image: NativeImage, hands: Block) -> None:
        self.image, self.library = image, image.network.library
        self.handle = self.library.checked(
            self.library.frame_new(
                *(image.network.handle, image.handle, _rows(hands), len(hands), hands.shape[1])
            )
        )
        weakref.finalize(self, self.library.frame_free, self.handle)

    def refine(self, anchors: Block, count: int) -> None:
        """Add the hands' anchors, a block (H, n) of `count` anchors: from now on refined logits can
        be evaluated."""
        self.library.checked(
            self.library.frame_refine(self.handle, _rows(anchors), anchors.shape[1], count)
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
        library, points = self._prepared(points_palm)
        logits = torch.empty(points.shape[:2])
        for hand, own, into in zip(self.hands, points, logits, strict=True):
            refused = library.logits(
                self.frame.handle, hand, self.refined, own.data_ptr(), len(own), into.data_ptr()
            )
            library.checked(refused)
        return logits

    def logits_around(self, points_palm: Tensor, step: float) -> Tensor:
        """Initial logits (H, N, 4) of points and of those moved by a step (metres) along each axis;
        the image's part is the point's for all four."""
        library, points = self._prepared(points_palm)
        logits = torch.empty(*points.shape[:2], 4)
        for hand, own, into in zip(self.hands, points, logits, strict=True):
            refused = library.logits_around(
                self.frame.handle, hand, own.data_ptr(), len(own), step, into.data_ptr()
            )
            library.checked(refused)
        return logits

    def _prepared(self, points_palm: Tensor) -> tuple[Library, Tensor]:
        library = self.frame.library
        library.use_torch_threads()
        return library, points_palm.clamp(-_FURTHEST, _FURTHEST).float().contiguous()

    def __getitem__(self, index: slice | list[int] | Tensor) -> NativeField:
        hands = torch.tensor(self.hands)[index].tolist()
        return NativeField(self.frame, tuple(hands), self.refined)


def _rows(blocks: Block) -> ctypes.Array[ctypes._Pointer[c_float]]:
    assert blocks.dtype == np.float32 and blocks.flags.c_contiguous
    return (_ROW * len(blocks))(*(row.ctypes.data_as(_ROW) for row in blocks))
