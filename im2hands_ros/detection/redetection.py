"""Re-detection of a missed hand: the palm detector overlooks hands that fill the image.

In 200 of our own renders both detections found 228 of 358 hands where one found 202, with three
more on no hand; of three photographs one needed the second detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from im2hands_ros.detection.landmarks import FloatArray, Landmarks

_SCALE = 0.6
_SAME = 0.25  # of a hand's extent: a finding this close to a hand is that hand


def smaller(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) image of the same size, its content shrunk into the middle, its edges drawn out.

    Args:
        image: (H, W, 3) uint8.
    """
    shrunk = cv2.resize(image, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA)
    above, left = _offset(image.shape[:2]).astype(int)
    below, right = np.subtract(image.shape[:2], shrunk.shape[:2]) - (above, left)
    return cv2.copyMakeBorder(shrunk, above, below, left, right, cv2.BORDER_REPLICATE)


def enlarged(hand: Landmarks, size: tuple[int, int]) -> Landmarks:
    """A hand found in `smaller` as it is in the image itself, of this (height, width)."""
    offset = _offset(size)[::-1]
    pixels = (hand.pixels - offset + 0.5) / _SCALE - 0.5
    return replace(hand, pixels=pixels, relief=hand.relief / _SCALE)


def missed(found: Sequence[Landmarks], again: Sequence[Landmarks]) -> list[Landmarks]:
    """Hands of the second detection that are none of those found in the first."""
    return [hand for hand in again if all(_apart(hand, other) for other in found)]


def _apart(hand: Landmarks, other: Landmarks) -> bool:
    """By joints, which separates two overlapping hands too, and by middles, whatever the turn."""
    reach = _SAME * other.extent
    joints = np.linalg.norm(hand.pixels - other.pixels, axis=1).mean()
    middles = np.linalg.norm(hand.centre - other.centre)
    return bool(min(joints, middles) > reach)


def _offset(size: tuple[int, int]) -> FloatArray:
    """(2,) whole pixels above and left of the shrunk image."""
    whole = np.asarray(size)
    return (whole - np.round(whole * _SCALE)) // 2
