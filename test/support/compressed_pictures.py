"""Compressed images as ROS sends them, whole and without a packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass
class Compressed:
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: bytes


def encoded(suffix: str, pixels: np.ndarray, options: tuple[int, ...] = ()) -> bytes:
    done, data = cv2.imencode(suffix, pixels, options)
    assert done
    return data.tobytes()


def jpeg(*options: int, shape: tuple[int, ...] = (120, 160, 3)) -> bytes:
    """Of a picture without a flat place."""
    pixels = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    return encoded(".jpg", cv2.GaussianBlur(pixels, (5, 5), 0), options)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG file with an EXIF block that holds nothing but an orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def broken(file: bytes, at: float = 0.5) -> bytes:
    """Without a packet of its middle, as USB and UDP lose them; OpenCV decodes it."""
    scan = file.index(b"\xff\xda")
    length = len(file) - scan
    start = scan + int(at * length)
    lacking = file[:start] + file[start + min(512, length // 5) :]
    assert cv2.imdecode(np.frombuffer(lacking, np.uint8), cv2.IMREAD_COLOR) is not None
    return lacking
