"""Image messages to arrays and back, straight from the buffer.

Needs no ROS: anything with the fields of sensor_msgs/Image will do. cv_bridge is not used: it
breaks with numpy 2 and cannot be installed from PyPI.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.encodings import DECODERS, Encoding, demosaic
from im2hands_ros.messages.header import HeaderFields
from im2hands_ros.pictures import decode

# As sensor_msgs writes them; capitals do not matter.
ENCODINGS = tuple(name.replace("uc", "UC") for name in DECODERS)


# Mean steps between the upper bytes of neighbouring pixels, and over that of the lower ones, that
# only words of exchanged bytes have.
_ROUGH, _ROUGHER = 4.0, 4.0


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
    encoding = DECODERS[_plain(message.encoding)]
    height, width = message.height, message.width
    if encoding.chroma:
        return encoding.convert(*_planes(message, encoding))
    rows = _rows(message, encoding.channels * encoding.size)
    if encoding.size == 2:
        _check_byte_order(message, rows.reshape(height, width, -1))
        rows = rows.view(">u2" if message.is_bigendian else "<u2")
    return encoding.convert(rows.reshape(height, width, encoding.channels))


def _check_byte_order(message: Any, pixels: np.ndarray) -> None:
    """Raise BadInput for words of which the upper bytes vary like the lower ones of a picture."""
    some = pixels[::16, :, :2].astype(np.int16)  # of the first channel
    lower, upper = (some[..., 1], some[..., 0]) if message.is_bigendian else np.moveaxis(some, 2, 0)
    rough = [
        float(np.abs(np.diff(each, axis=1)).mean()) if each.shape[1] > 1 else 0.0
        for each in (lower, upper)
    ]
    if rough[1] > max(_ROUGH, _ROUGHER * rough[0]) and lower.std() > 0.5:
        raise BadInput(
            "image_byte_order",
            f"the {message.encoding} image has its bytes the other way round than is_bigendian "
            f"{int(message.is_bigendian)} says: correct is_bigendian",
        )


def check_image(message: Any) -> None:
    """Raise BadInput unless a sensor_msgs/Image can be decoded; costs next to nothing."""
    encoding = DECODERS.get(_plain(message.encoding))
    if encoding is None:
        raise BadInput(
            "image_encoding",
            f"encoding '{message.encoding[:40]}' is not supported: publish one of "
            + ", ".join(ENCODINGS),
        )
    width, height, name = message.width, message.height, _name(message)
    if min(width, height) < encoding.smallest:
        raise BadInput(
            "image_size",
            f"the image is {name}: publish at least {encoding.smallest}x{encoding.smallest} pixels",
        )
    if width % encoding.multiples[0] or height % encoding.multiples[1]:
        sides = "width" if encoding.multiples[1] == 1 else "width and height"
        raise BadInput("image_size", f"the image is {name}: the {sides} must be even")
    if encoding.chroma:
        _check_layout(message, 1, _plane_step(message, encoding), _plane_rows(height, encoding))
    else:
        _check_layout(message, encoding.channels * encoding.size, message.step, height)


def _plain(encoding: str) -> str:
    """An encoding's name without what writers of C strings leave around it."""
    return encoding.strip(" \0").lower()


def _name(message: Any) -> str:
    return f"{message.width}x{message.height} {message.encoding}"


def _plane_rows(height: int, encoding: Encoding) -> int:
    """How many steps long the buffer is: those of the chroma come after the luma's."""
    return height + 2 * height // encoding.chroma**2


def _plane_step(message: Any, encoding: Encoding) -> int:
    """Bytes of a row of luma: some drivers' step is that of all planes together."""
    together = message.width * _plane_rows(message.height, encoding)
    return message.width if together == message.step * message.height else message.step


def _planes(message: Any, encoding: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 1) luma and (H / n, W / n, 2) chroma, without the padding."""
    step, height, width = _plane_step(message, encoding), message.height, message.width
    rows = _padded(message, step, _plane_rows(height, encoding))
    high, wide = height // encoding.chroma, width // encoding.chroma
    chroma = rows[height:].reshape(high, -1)[:, : 2 * wide]
    luma = np.ascontiguousarray(rows[:height, :width])
    return luma[..., None], np.ascontiguousarray(chroma).reshape(high, wide, 2)


def _check_layout(message: Any, pixel_bytes: int, step: int, rows: int) -> None:
    """Size, step and data must fit one another; the last row's padding may be missing."""
    width, length, name = message.width, len(message.data), _name(message)
    if width == 0 or message.height == 0:
        raise BadInput("image_size", f"the image is {name}: publish at least one pixel")
    if step < width * pixel_bytes:
        raise BadInput(
            "image_step",
            f"step {step} is too small for {name}: set step to at least {width * pixel_bytes}",
        )
    shortest, longest = (rows - 1) * step + width * pixel_bytes, rows * step
    if not shortest <= length <= longest:
        raise BadInput(
            "image_data",
            f"data holds {length} bytes but {name} with step {step} needs {longest}: "
            "fill data with all rows, step bytes each",
        )


def _padded(message: Any, step: int, rows: int) -> np.ndarray:
    """(rows, step) uint8, the last row filled up."""
    data = np.frombuffer(message.data, np.uint8)
    if len(data) < rows * step:
        data = np.pad(data, (0, rows * step - len(data)))
    return data.reshape(rows, step)


def _rows(message: Any, pixel_bytes: int) -> np.ndarray:
    """(H, W * pixel_bytes) uint8, contiguous, without the padding."""
    used = message.width * pixel_bytes
    return np.ascontiguousarray(_padded(message, message.step, message.height)[:, :used])


# encoding -> (dtype without byte order, metres per unit); REP-118.
_DEPTHS = {"16uc1": ("u2", 0.001), "mono16": ("u2", 0.001), "32fc1": ("f4", 1.0)}


def read_depth(message: Any) -> np.ndarray:
    """Decode a depth image (sensor_msgs/Image, REP-118).

    Returns:
        (H, W) float32 metres along z; 0 or NaN where nothing was measured.

    Raises:
        BadInput: not a depth encoding, or size, step and data that do not fit one another.
    """
    encoding = _plain(message.encoding)
    if encoding not in _DEPTHS:
        raise BadInput(
            "depth_encoding",
            f"encoding '{message.encoding}' is no depth image: publish one of 16UC1, mono16, 32FC1",
        )
    kind, metres = _DEPTHS[encoding]
    dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}")
    _check_layout(message, dtype.itemsize, message.step, message.height)
    rows = _rows(message, dtype.itemsize).view(dtype)
    return rows.astype(np.float32) * np.float32(metres)


def _read_compressed(message: Any) -> np.ndarray:
    length, name = len(message.data), f"format '{message.format}'"
    if not length:
        raise BadInput(
            "image_data", f"a compressed image of {name} holds no bytes: publish whole JPEG or PNG"
        )
    encoding, _, made = message.format.partition(";")
    if "compressedDepth" in message.format or _plain(encoding) in ("16uc1", "32fc1"):
        raise BadInput("image_encoding", f"{name} is a depth image: publish the colour image")
    pixels = decode(np.frombuffer(message.data, np.uint8), f"{length} bytes of {name}")
    # image_transport compresses a mosaic as a grey picture, or says that it made colours of it;
    # others make colours of it and do not say so.
    if "bgr8" not in made and (colours := demosaic(pixels, encoding)) is not None:
        return colours
    if "compressed rgb" in made:  # the file's red is the blue, as image_transport reads it
        return np.ascontiguousarray(pixels)
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
