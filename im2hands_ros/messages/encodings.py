"""Pixels of each image encoding to RGB: grey, colour, YUV 4:2:2, 4:2:0 and 4:4:4, Bayer mosaics.

YUV is ITU-R BT.601 of studio range, as OpenCV and image_transport take it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

_Convert = Callable[[np.ndarray], np.ndarray]


class Encoding(NamedTuple):
    """How the pixels of an encoding lie in a buffer.

    Attributes:
        channels, size: numbers of a pixel, bytes of a number.
        convert: (H, W, channels) uint8 or uint16 to (H, W, 3) uint8 RGB of its own memory; where
            there is chroma, its second argument: (H / n, W / n, 2) uint8.
        multiples: width and height are multiples of these.
        smallest: width and height are this at least.
        chroma: 0: none; n: a plane of pairs for each n x n pixels comes after the first plane.
    """

    channels: int
    size: int
    convert: Callable[..., np.ndarray]
    multiples: tuple[int, int] = (1, 1)
    smallest: int = 1
    chroma: int = 0


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=2)


def _reversed(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def _in_order(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :, :3].copy()


def _high_bits(pixels: np.ndarray, convert: _Convert, bits: int = 16) -> np.ndarray:
    """Numbers of so many bits as 8; what is brighter than they can say is white."""
    return convert(np.minimum(pixels >> (bits - 8), 255).astype(np.uint8))


def _by_opencv(pixels: np.ndarray, code: int) -> np.ndarray:
    return cv2.cvtColor(pixels, code)


def _nv21(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    return cv2.cvtColorTwoPlane(luma, chroma, cv2.COLOR_YUV2RGB_NV21)


def _nv12(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    return cv2.cvtColorTwoPlane(luma, chroma, cv2.COLOR_YUV2RGB_NV12)


def _nv24(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """As NV12, with a U and a V of each pixel, which OpenCV does not read."""
    y = 298 * (luma[:, :, 0].astype(np.int32) - 16) + 128
    u, v = (chroma[:, :, i].astype(np.int32) - 128 for i in (0, 1))
    rgb = np.stack([y + 409 * v, y - 100 * u - 208 * v, y + 516 * u], axis=2) >> 8
    return rgb.clip(0, 255).astype(np.uint8)


# OpenCV names a mosaic by its second row's second and third pixels, ROS by its first four.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_SMALLEST_MOSAIC = 4  # OpenCV leaves smaller ones black


_OPENCVS = (
    *(("8uc1", "mono8"), ("8uc3", "bgr8"), ("8uc4", "bgra8")),
    *(("16uc3", "bgr16"), ("16uc4", "bgra16")),
)


def _encodings() -> dict[str, Encoding]:
    orders: dict[str, tuple[int, _Convert]] = {
        "mono": (1, _grey),
        "rgb": (3, _in_order),
        "bgr": (3, _reversed),
        "rgba": (4, _in_order),
        "bgra": (4, _reversed),
    }
    known: dict[str, Encoding] = {}
    for name, (channels, convert) in orders.items():
        known[f"{name}8"] = Encoding(channels, 1, convert)
        known[f"{name}16"] = Encoding(channels, 2, partial(_high_bits, convert=convert))
    for bits in (10, 12):
        known[f"mono{bits}"] = Encoding(1, 2, partial(_high_bits, convert=_grey, bits=bits))
    # OpenCV's own order.
    for name, same in _OPENCVS:
        known[name] = known[same]
    # The names until ROS 2 Iron, and those since.
    yuyv = Encoding(2, 1, partial(_by_opencv, code=cv2.COLOR_YUV2RGB_YUY2), (2, 1))
    uyvy = Encoding(2, 1, partial(_by_opencv, code=cv2.COLOR_YUV2RGB_UYVY), (2, 1))
    known |= {"yuv422_yuy2": yuyv, "yuyv": yuyv, "yuv422": uyvy, "uyvy": uyvy}
    known["nv12"] = Encoding(1, 1, _nv12, (2, 2), chroma=2)
    known["nv21"] = Encoding(1, 1, _nv21, (2, 2), chroma=2)
    known["nv24"] = Encoding(1, 1, _nv24, chroma=1)
    for order, code in _BAYER.items():
        mosaic = partial(_by_opencv, code=code)
        known[f"bayer_{order}8"] = Encoding(1, 1, mosaic, smallest=_SMALLEST_MOSAIC)
        high = partial(_high_bits, convert=mosaic)
        known[f"bayer_{order}16"] = Encoding(1, 2, high, smallest=_SMALLEST_MOSAIC)
    return known


# Lower-case name -> how to read it.
DECODERS = _encodings()


def demosaic(pixels: np.ndarray, encoding: str) -> np.ndarray | None:
    """RGB of a (H, W, 3) picture if it is grey and `encoding` names a mosaic, else None."""
    kind, _, order = encoding.lower().rstrip("168 ").partition("_")
    if kind != "bayer" or order not in _BAYER or min(pixels.shape[:2]) < _SMALLEST_MOSAIC:
        return None
    mosaic = np.ascontiguousarray(pixels[:, :, 0])
    is_grey = np.array_equal(mosaic, pixels[:, :, 1]) and np.array_equal(mosaic, pixels[:, :, 2])
    return cv2.cvtColor(mosaic, _BAYER[order]) if is_grey else None
