"""Depth images as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_METRES_PER_MILLIMETRE = 1e-3


def read_depth_file(path: Path) -> NDArray[np.float32]:
    """Read a depth image that is registered to the colour image.

    Args:
        path: a 16-bit .png of millimetres, or a .npy array (H, W) of floats in metres or of uint16
            in millimetres; 0 or NaN where nothing was measured.

    Returns:
        (H, W) float32 metres along z.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another file type, or what it holds is no depth image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"depth image '{path}' does not exist: check the path")
    if path.suffix not in (".png", ".npy"):
        raise ValueError(f"depth image '{path}': give a 16-bit .png (millimetres) or a .npy")
    values = _read_array(path) if path.suffix == ".npy" else _read_png(path)
    millimetres = values.dtype == np.uint16
    if values.ndim != 2 or not (millimetres or np.issubdtype(values.dtype, np.floating)):
        raise ValueError(
            f"depth image '{path}' holds {values.shape} {values.dtype}: give (H, W) of uint16 "
            "(millimetres) or, in a .npy, of floats (metres)"
        )
    return values.astype(np.float32) * np.float32(_METRES_PER_MILLIMETRE if millimetres else 1)


def _read_array(path: Path) -> NDArray[np.generic]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise ValueError(f"depth image '{path}' is no array of NumPy: {error}") from error


def _read_png(path: Path) -> NDArray[np.generic]:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f"depth image '{path}' cannot be decoded: give a 16-bit .png")
    return np.asarray(pixels)
