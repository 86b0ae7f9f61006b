"""Marching cubes by the native library, with scikit-image's tables: the same triangles."""

from __future__ import annotations

import base64
import logging
import weakref
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels.library import KernelError, Library

_known: object
try:
    from skimage.measure import _marching_cubes_lewiner_luts as _known
except ImportError:  # not part of scikit-image's interface
    _known = None

# In the order of `CubeTables` (src/marching.h).
_TILINGS = (
    *("1", "2", "3_1", "3_2", "4_1", "4_2", "5", "6_1_1", "6_1_2", "6_2", "7_1", "7_2", "7_3"),
    *("7_4_1", "7_4_2", "8", "9", "10_1_1", "10_1_1_", "10_1_2", "10_2", "10_2_", "11", "12_1_1"),
    *("12_1_1_", "12_1_2", "12_2", "12_2_", "13_1", "13_1_", "13_2", "13_2_", "13_3", "13_3_"),
    *("13_4", "13_5_1", "13_5_2", "14"),
)
_TESTS = ("TEST3", "TEST4", "TEST6", "TEST7", "TEST10", "TEST12", "TEST13", "SUBCONFIG13")
_TABLES = ("CASES", *(f"TILING{name}" for name in _TILINGS), *_TESTS)
_log = logging.getLogger(__name__)


class Mesher:
    """Marching cubes over listed cells. Not thread-safe."""

    def __init__(self, library: Library, tables: NDArray[np.int8]) -> None:
        self._library = library
        self._handle = library.checked(library.mesher_new(tables.ctypes.data, tables.size))
        weakref.finalize(self, library.mesher_free, self._handle)

    def __call__(
        self,
        values: NDArray[np.float32],
        cells: NDArray[np.int64],
        threshold: float,
        clearance: float,
        share: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]] | None:
        """Vertices (V, 3), lattice units, triangles (T, 3), counter-clockwise from outside, and the
        corners (L, 3, 3) of those that were left out; None without a surface.

        Args:
            values: (n, n, n), larger inside. cells: (C,) sorted low corners (x n + y) n + z.
            threshold: of the values at the surface.
            clearance: values nearer to it than this share of the mean distance count as that far.
            share: of the largest component's volume, below which components are left out.
        """
        library, sizes = self._library, np.zeros(3, np.int64)
        values = np.ascontiguousarray(values, np.float32)
        cells = np.ascontiguousarray(cells, np.int64)
        given = (values.ctypes.data, len(values) - 1, cells.ctypes.data, len(cells))
        options = (threshold, clearance, share, sizes.ctypes.data)
        if not library.checked(library.mesher_run(self._handle, *given, *options)):
            return None
        vertices = np.empty((sizes[0], 3), np.float32)
        triangles = np.empty((sizes[1], 3), np.int32)
        left_out = np.empty((sizes[2], 3, 3), np.float32)
        arrays = (vertices, triangles, left_out)
        library.checked(library.mesher_copy(self._handle, *(it.ctypes.data for it in arrays)))
        return arrays


@cache
def mesher(library: Library) -> Mesher | None:
    """The library's marching cubes; None, and a line in the log, where scikit-image keeps its
    tables elsewhere: its own marching cubes are to be used."""
    try:
        return Mesher(library, tables())
    except (AttributeError, TypeError, ValueError, KernelError) as error:
        _log.warning(
            "kernels: marching cubes by scikit-image, whose tables are unknown (%s)", error
        )
        return None


def tables() -> NDArray[np.int8]:
    """scikit-image's tables, one after the other, in the order of `CubeTables`."""
    return np.concatenate([_decoded(getattr(_known, name)) for name in _TABLES])


def _decoded(table: tuple[Any, str]) -> NDArray[np.int8]:
    shape, text = table
    return np.frombuffer(base64.b64decode(text), np.int8).reshape(shape).ravel()
