"""Image messages to arrays and back, straight from the buffer.

Needs no ROS: anything with the fields of sensor_msgs/Image will do. cv_bridge is not used: it
breaks with numpy 2 and cannot be installed from PyPI.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import HeaderFields


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=2)


def _grey_from_16_bit(pixels: np.ndarray) -> np.ndarray:
    return _grey((pixels >> 8).astype(np.uint8))


def _same(pixels: np.ndarray) -> np.ndarray:
    return pixels.copy()


def _reversed(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, :3])


def _from_yuyv(pixels: np.ndarray) -> np.ndarray:
    """ITU-R BT.601, studio range; one U and one V for each two pixels."""
    height, width = pixels.shape[:2]
    luma = 298 * (pixels[:, :, 0].astype(np.int32) - 16) + 128
    chroma = pixels[:, :, 1].astype(np.int32).reshape(height, width // 2, 2) - 128
    u, v = (np.repeat(chroma[:, :, i], 2, axis=1) for i in (0, 1))
    rgb = np.stack([luma + 409 * v, luma - 100 * u - 208 * v, luma + 516 * u], axis=2) >> 8
    return rgb.clip(0, 255).astype(np.uint8)


# encoding -> (channels, bytes per channel, conversion of (H, W, channels) to (H, W, 3) uint8 RGB)
_DECODERS: dict[str, tuple[int, int, Callable[[np.ndarray], np.ndarray]]] = {
    "mono8": (1, 1, _grey),
    "8UC1": (1, 1, _grey),
    "mono16": (1, 2, _grey_from_16_bit),
    "rgb8": (3, 1, _same),
    "bgr8": (3, 1, _reversed),
    "8UC3": (3, 1, _reversed),  # OpenCV's own order
    "rgba8": (4, 1, _without_alpha),
    "bgra8": (4, 1, _reversed),
    "yuv422_yuy2": (2, 1, _from_yuyv),
}
ENCODINGS = tuple(_DECODERS)


def read_image(message: Any) -> np.ndarray:
    """Decode an image into a (H, W, 3) uint8 RGB array of its own memory.

    Args:
        message: a sensor_msgs/CompressedImage (JPEG, PNG and what else OpenCV reads), or a
            sensor_msgs/Image of one of `ENCODINGS`; its rows may be padded.

    Raises:
        BadInput: unknown encoding, size, step and data that do not fit one another, a depth image,
            or bytes that OpenCV cannot decode.
    """
    return _read_compressed(message) if hasattr(message, "format") else _read_raw(message)


def _read_raw(message: Any) -> np.ndarray:
    check_image(message)
    channels, size, convert = _DECODERS[message.encoding]
    rows = _rows(message, channels * size)
    if size == 2:
        rows = rows.view(">u2" if message.is_bigendian else "<u2")
    return convert(rows.reshape(message.height, message.width, channels))


def check_image(message: Any) -> None:
    """Raise BadInput unless a sensor_msgs/Image can be decoded; costs next to nothing."""
    if message.encoding not in _DECODERS:
        raise BadInput(
            "image_encoding",
            f"encoding '{message.encoding[:40]}' is not supported: publish one of "
            + ", ".join(ENCODINGS),
        )
    channels, size, _ = _DECODERS[message.encoding]
    _check_layout(message, channels * size)


def _check_layout(message: Any, pixel_bytes: int) -> None:
    """Size, step and data must fit one another; the last row's padding may be missing."""
    width, height, step, length = message.width, message.height, message.step, len(message.data)
    name = f"{width}x{height} {message.encoding}"
    if width == 0 or height == 0:
        raise BadInput("image_size", f"the image is {name}: publish at least one pixel")
    if message.encoding == "yuv422_yuy2" and width % 2:
        raise BadInput("image_size", f"the image is {name}: the width must be even")
    if step < width * pixel_bytes:
        raise BadInput(
            "image_step",
            f"step {step} is too small for {name}: set step to at least {width * pixel_bytes}",
        )
    shortest, longest = (height - 1) * step + width * pixel_bytes, height * step
    if not shortest <= length <= longest:
        raise BadInput(
            "image_data",
            f"data holds {length} bytes but {name} with step {step} needs {longest}: "
            "fill data with step * height bytes",
        )


def _rows(message: Any, pixel_bytes: int) -> np.ndarray:
    """(H, W * pixel_bytes) uint8, contiguous, without the padding."""
    height, used = message.height, message.width * pixel_bytes
    data = np.frombuffer(message.data, np.uint8)
    if message.step == used:
        return data.reshape(height, used)
    if len(data) < height * message.step:
        data = np.pad(data, (0, height * message.step - len(data)))
    return np.ascontiguousarray(data.reshape(height, message.step)[:, :used])


# encoding -> (dtype without byte order, metres per unit); REP-118.
_DEPTHS = {"16UC1": ("u2", 0.001), "mono16": ("u2", 0.001), "32FC1": ("f4", 1.0)}


def read_depth(message: Any) -> np.ndarray:
    """Decode a depth image (sensor_msgs/Image, REP-118).

    Returns:
        (H, W) float32 metres along z; 0 or NaN where nothing was measured.

    Raises:
        BadInput: not a depth encoding, or size, step and data that do not fit one another.
    """
    if message.encoding not in _DEPTHS:
        raise BadInput(
            "depth_encoding",
            f"encoding '{message.encoding}' is no depth image: publish one of {', '.join(_DEPTHS)}",
        )
    kind, metres = _DEPTHS[message.encoding]
    dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}")
    _check_layout(message, dtype.itemsize)
    rows = _rows(message, dtype.itemsize).view(dtype)
    return rows.astype(np.float32) * np.float32(metres)


# The calibration is of the pixels as stored: a rotation in the file's EXIF data is not for us.
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def _read_compressed(message: Any) -> np.ndarray:
    length, name = len(message.data), f"format '{message.format}'"
    if not length:
        raise BadInput("image_data", f"a compressed image of {name} holds no bytes")
    if "compressedDepth" in message.format:
        raise BadInput("image_encoding", f"{name} is a depth image: publish the colour image")
    try:
        pixels = cv2.imdecode(np.frombuffer(message.data, np.uint8), _AS_STORED)
    except cv2.error as error:
        raise BadInput("image_data", f"a compressed image of {name}: {error.err}") from error
    if pixels is None:
        raise BadInput(
            "image_data", f"{length} bytes of {name} cannot be decoded: publish whole JPEG or PNG"
        )
    return np.ascontiguousarray(pixels[:, :, ::-1])


# encoding -> what follows height and width in the array's shape
_CHANNELS = {"rgb8": (3,), "bgr8": (3,), "mono8": ()}


def write_image(header: HeaderFields, pixels: np.ndarray, encoding: str = "rgb8") -> bytes:
    """A serialised sensor_msgs/Image.

    Args:
        header: stamp and optical frame.
        pixels: (H, W, 3) uint8 for `rgb8` and `bgr8`, (H, W) uint8 for `mono8`, channels as named.

    Raises:
        ValueError: another encoding, shape or dtype.
    """
    if pixels.ndim < 2 or pixels.shape[2:] != _CHANNELS.get(encoding) or pixels.dtype != np.uint8:
        raise ValueError(
            f"{pixels.dtype} array of shape {pixels.shape} as '{encoding}': "
            "give uint8 (H, W, 3) for rgb8 and bgr8, uint8 (H, W) for mono8"
        )
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("2I", *pixels.shape[:2])  # height, width
    cdr.string(encoding)
    cdr.fields("B I", False, int(np.prod(pixels.shape[1:])))  # is_bigendian, step
    cdr.sequence(pixels.reshape(-1))
    return cdr.message


def write_compressed_image(header: HeaderFields, pixels: np.ndarray) -> bytes:
    """A serialised CompressedImage: a JPEG file of (H, W, 3) uint8 RGB pixels."""
    done, file = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]))
    if not done:
        raise ValueError(f"an image of shape {pixels.shape} cannot be written as a JPEG file")
    cdr = CdrWriter()
    cdr.header(header)
    cdr.string("rgb8; jpeg compressed bgr8")  # as image_transport calls it
    cdr.sequence(file.ravel())
    return cdr.message
