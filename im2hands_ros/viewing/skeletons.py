"""Joints of hands drawn over an image."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import BONES, SIDE_COLOURS

_SHIFT = 4  # OpenCV draws at sixteenths of a pixel


def draw_skeletons(
    image: NDArray[np.uint8], hands: Mapping[str, NDArray[np.floating]]
) -> NDArray[np.uint8]:
    """A copy of an image with bones and joints, left blue and right orange.

    Args:
        image: (H, W, 3) uint8 RGB.
        hands: side -> (21, 2) pixels, the first one's centre at (0, 0), MANO order.
    """
    drawn = image.copy()
    for side, pixels in hands.items():
        colour = [round(255 * part) for part in SIDE_COLOURS[side]]
        thickness = max(1, round(float(np.ptp(pixels, axis=0).max()) / 70))
        points = np.rint(pixels * (1 << _SHIFT)).astype(int).tolist()
        for parent, child in BONES:
            cv2.line(drawn, points[parent], points[child], colour, thickness, cv2.LINE_AA, _SHIFT)
        for point in points:
            radius = (thickness + 1) << _SHIFT
            cv2.circle(drawn, point, radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return drawn
