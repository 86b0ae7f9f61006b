"""The pruned surface search, by the native library."""

from __future__ import annotations

import ctypes
import weakref
from itertools import zip_longest

import torch
from torch import Tensor

from im2hands_ros.kernels.field import NativeField
from im2hands_ros.kernels.library import Library
from im2hands_ros.surface.boxes import SearchBoxes
from im2hands_ros.surface.lattice import Lattice
from im2hands_ros.surface.search import SurfaceCells

_MOST_ROUNDS = 64


class NativeSearch:
    """`PrunedSearch` of a native field. Not thread-safe; ValueError as `SurfaceSearch`."""

    def __init__(self, library: Library, resolution: int, hands: int) -> None:
        self._lattice = Lattice(resolution, hands, torch.device("cpu"))
        self._library = library
        self.values = torch.zeros(hands, *(self._lattice.side,) * 3)
        self._handle = library.checked(
            library.search_new(resolution, hands, self.values.data_ptr())
        )
        weakref.finalize(self, library.search_free, self._handle)

    def __call__(
        self,
        field: NativeField,
        threshold: float,
        boxes: SearchBoxes,
        segments: Tensor,
        reach: float,
    ) -> SurfaceCells:
        """Find the surface of every hand of a frame, in order.

        boxes: that the hands are searched in. segments, reach: as `SurfaceSearch` takes them.
        """
        library = self._library
        library.use_torch_threads()
        places = torch.cat([boxes.origin, boxes.side[:, None]], 1).float().contiguous()
        bones = segments.float().contiguous()
        assert field.hands == tuple(range(self._lattice.hands)) == tuple(range(len(bones)))
        library.checked(
            library.search_run(
                self._handle,
                field.frame.handle,
                field.refined,
                threshold,
                places.data_ptr(),
                bones.data_ptr(),
                bones.shape[1],
                reach,
            )
        )
        cells = tuple(self._cells(hand) for hand in range(self._lattice.hands))
        return SurfaceCells(
            self.values, cells, self._lattice.resolution, threshold, self._evaluations()
        )

    def _cells(self, hand: int) -> Tensor:
        library = self._library
        count = library.checked(library.search_cells(self._handle, hand, None, 0))
        cells = torch.empty(count, dtype=torch.long)
        library.checked(library.search_cells(self._handle, hand, cells.data_ptr(), count))
        return cells

    def _evaluations(self) -> tuple[int, ...]:
        """Points of each round, of all hands together."""
        return tuple(
            sum(counts)
            for counts in zip_longest(*map(self._rounds, range(self._lattice.hands)), fillvalue=0)
        )

    def _rounds(self, hand: int) -> list[int]:
        counts = (ctypes.c_int * _MOST_ROUNDS)()
        made = self._library.search_rounds(self._handle, hand, counts, _MOST_ROUNDS)
        return list(counts)[: self._library.checked(made)]
