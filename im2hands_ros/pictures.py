"""Picture files and compressed images to pixels: one way for command line, bags and node."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.kernels.jpeg import why_broken

# Keypoints and calibration are of the pixels as stored: a rotation in a file's EXIF data is not
# applied, here as in image_transport.
AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: NDArray[np.uint8], name: str) -> np.ndarray:
    """(H, W, 3) uint8, blue first, of a whole PNG, JPEG or other file that OpenCV reads.

    OpenCV decodes a JPEG from which a part is missing; one that is found out by its codes is
    refused (kernels/jpeg.py).

    Args:
        data: (N,) the bytes of the file, contiguous.
        name: of the file, for the error.

    Raises:
        BadInput: it cannot be decoded, or is broken.
    """
    try:
        pixels = cv2.imdecode(data, AS_STORED)
    except cv2.error as error:
        raise BadInput("image_data", f"{name}: {error.err}") from error
    if pixels is None:
        raise BadInput("image_data", f"{name} cannot be decoded: give a whole JPEG or PNG")
    broken = why_broken(data)
    if broken:
        raise BadInput(
            "image_data",
            f"{name}: a JPEG that {broken}: part of its picture would be grey or shifted: send it "
            "whole",
        )
    return pixels


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) uint8 RGB: its pixels as stored, no EXIF rotation applied.

    Raises:
        FileNotFoundError: no such file.
        BadInput: not an image that OpenCV reads, or a broken one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"image '{path}' does not exist: check the path")
    pixels = decode(np.fromfile(path, np.uint8), f"image '{path}'")
    return np.ascontiguousarray(pixels[..., ::-1])


def orientation_notice(path: Path, image: NDArray[np.uint8]) -> str:
    """Says that an image file holds a rotation, which `read_image` leaves out; empty if none.

    Args:
        path: a file that OpenCV reads.
        image: what `read_image` made of it.
    """
    turned = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if turned is None or np.array_equal(turned[..., ::-1], image):
        return ""
    return (
        f"image '{path}' has an EXIF orientation, which is not applied: keypoints and camera must "
        f"be of the pixels as stored, {image.shape[1]}x{image.shape[0]}"
    )
