"""Calls of the kernels' C interface with random values, for tests of its boundary.

`make test-asan` names the library under test in KERNELS_UNDER_TEST.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from im2hands_ros.kernels.library import Library, available

UNDER_TEST = os.environ.get("KERNELS_UNDER_TEST")
LIBRARIES = [Library(Path(UNDER_TEST))] if UNDER_TEST else list(available().values())
WEIGHTS = 108508  # floats of all of the compact networks' weights
TOKENS, PIXELS, ANCHORS = 36, 12, 10
IMAGE = 64 * TOKENS + 32 * PIXELS**2
HAND = 32 + 12 + 9 + 20 * (12 + 4 + 3 + 3 + 1 + 2 + 64)
ANCHOR_BLOCK = 80 * ANCHORS + 3 * ANCHORS // 2 + 13
BAD = (float("nan"), float("inf"), -float("inf"))
_FLOATS = ctypes.POINTER(ctypes.c_float)


def block(count, seed=0, scale=0.2):
    return (scale * np.random.default_rng(seed).standard_normal(max(count, 0))).astype(np.float32)


def rows(arrays):
    """Pointers to arrays, which live as long."""
    pointers = (_FLOATS * len(arrays))()
    for place, array in enumerate(arrays):
        if array is not None:
            pointers[place] = array.ctypes.data_as(_FLOATS)
    pointers.arrays = arrays
    return pointers


every_library = pytest.mark.parametrize("kernels", LIBRARIES, ids=lambda it: it.compiled_for)


def refused(kernels, result, words):
    assert result is None or result < 0
    assert words in kernels.error().decode()
