"""Where a camera's picture stands in space, and how it looks without its lens."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from im2hands_ros.camera import Camera


def corners(camera: Camera, depth: float) -> np.ndarray:
    """(4, 3) float64 metres, camera frame: the undistorted image's outer corners at a depth.

    In the order top left, top right, bottom right, bottom left.
    """
    right, bottom = camera.width - 0.5, camera.height - 0.5  # pixel centres are whole numbers
    pixels = np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])
    return camera.pinhole.back_project(pixels, np.full(4, depth))


def undistorted(image: np.ndarray, camera: Camera) -> np.ndarray:
    """The (H, W, 3) uint8 image as a lens without distortion would have taken it."""
    if not camera.is_distorted:
        return image
    columns, rows = _sources(camera)
    return cv2.remap(image, columns, rows, cv2.INTER_LINEAR)


@lru_cache(maxsize=1)
def _sources(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Column and row, each (H, W) float32, that each undistorted pixel comes from."""
    grid = np.indices((camera.height, camera.width), np.float64)[::-1].reshape(2, -1).T
    rays = camera.pinhole.back_project(grid, np.ones(len(grid)))[:, :2]
    pixels = camera.pixels_of(rays).astype(np.float32)
    columns, rows = pixels.T.reshape(2, camera.height, camera.width)
    return columns, rows


def fitted(image: np.ndarray, width: int) -> np.ndarray:
    """The (H, W, 3) uint8 image, made smaller if it is wider than `width` pixels."""
    if image.shape[1] <= width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
