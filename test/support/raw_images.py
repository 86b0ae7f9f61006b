"""Raw image messages of chosen pixels, rows padded, and the pixels to choose."""

from __future__ import annotations

import array
from dataclasses import dataclass, field

import numpy as np

WIDTH, HEIGHT = 6, 4


@dataclass
class Image:
    """The fields of sensor_msgs/Image."""

    encoding: str = "rgb8"
    width: int = WIDTH
    height: int = HEIGHT
    step: int = 3 * WIDTH
    is_bigendian: int = 0
    data: array.array = field(default_factory=lambda: array.array("B"))


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def message(encoding: str, pixels: np.ndarray, padding: int = 0, big: int = 0) -> Image:
    """An Image of (H, W, ...) pixels whose rows end in padding."""
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(HEIGHT, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    data = array.array("B", rows.tobytes())
    return Image(encoding, WIDTH, HEIGHT, rows.shape[1], big, data)


def as_grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


RGB = picture()
ALPHA = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
WORDS = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH), np.uint16)
COLOUR = (120, 40, 60)  # of a mosaic that is the same everywhere
