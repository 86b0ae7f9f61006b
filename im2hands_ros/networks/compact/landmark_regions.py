"""The part of a picture in which the landmark network sees a hand: upright, left hands mirrored."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE
from im2hands_ros.skeleton import JOINT_COUNT, MIDDLE_MCP, WRIST

FloatArray = NDArray[np.float64]

# MediaPipe's own tracking region (hand_landmarks_to_rect_calculator.cc and the graph around it):
# upright from the wrist to the middle of the knuckles, around wrist, palm and the fingers' first
# joints, twice as large and a tenth of its height towards the fingers.
_SPAN = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
_SIDE_KNUCKLES = [5, 13]
_SCALE, _SHIFT = 2.0, -0.1
_SMALLEST = 4.0  # pixels; coinciding joints have no extent
_MIRROR = np.diag([-1.0, 1.0])


def region_of(joints_px: np.ndarray, mirrored: bool = False) -> FloatArray:
    """(2, 3) map from the picture's pixels to those of the network's crop.

    Args:
        joints_px: (21, 2) where the hand is believed to be, pixels.
        mirrored: whether it is a left hand, which is looked at in the mirror.

    Raises:
        ValueError: joints of another shape, or not finite.
    """
    joints = np.asarray(joints_px, np.float64)
    if joints.shape != (JOINT_COUNT, 2) or not np.isfinite(joints).all():
        raise ValueError(f"joints {joints.shape} in the picture: they must be finite (21, 2)")
    if mirrored:
        affine = region_of(joints @ _MIRROR)
        return np.column_stack([affine[:, :2] @ _MIRROR, affine[:, 2]])
    towards = (joints[_SIDE_KNUCKLES].mean(0) + joints[MIDDLE_MCP]) / 2 - joints[WRIST]
    turn = np.pi / 2 - np.arctan2(-towards[1], towards[0])
    upright = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    around = joints[_SPAN] @ upright.T
    low, high = around.min(0), around.max(0)
    middle = (low + high) / 2 + (0, _SHIFT * (high - low)[1])
    scale = INPUT_SIZE / (_SCALE * max((high - low).max(), _SMALLEST))
    return np.column_stack([scale * upright, (INPUT_SIZE - 1) / 2 - scale * middle])


def turned(region: FloatArray, degrees: float) -> FloatArray:
    """The region whose crop shows the same turned clockwise about its middle."""
    angle, middle = np.radians(degrees), np.full(2, (INPUT_SIZE - 1) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn @ region[:, :2], turn @ (region[:, 2] - middle) + middle])


def is_mirrored(region: FloatArray) -> bool:
    """Whether a region shows the hand in the mirror."""
    return bool(np.linalg.det(region[:, :2]) < 0)


def scale_of(region: FloatArray) -> float:
    """Pixels of the crop per pixel of the picture."""
    return float(np.sqrt(abs(np.linalg.det(region[:, :2]))))


def cut_out(image: np.ndarray, region: FloatArray) -> np.ndarray:
    """(224, 224, 3) uint8 crop of an (H, W, 3) uint8 picture; its border goes on outside."""
    # Bilinear sampling aliases when it shrinks: average whole blocks first.
    shrink = max(1, int(0.7 / scale_of(region)))
    if shrink > 1:
        rows, columns = (max(side // shrink, 1) for side in image.shape[:2])
        image = cv2.resize(
            image[: rows * shrink, : columns * shrink],
            (columns, rows),
            interpolation=cv2.INTER_AREA,
        )
        linear = region[:, :2]
        shift = region[:, 2] + linear @ np.full(2, (shrink - 1) / 2)
        region = np.column_stack([linear * shrink, shift])
    size = (INPUT_SIZE, INPUT_SIZE)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return cv2.warpAffine(image, region, size, flags=flags, borderMode=border)


def moved(points: FloatArray, region: FloatArray) -> FloatArray:
    """(…, 2) pixels of the picture to those of the crop."""
    return points @ region[:, :2].T + region[:, 2]


def moved_back(points: FloatArray, region: FloatArray) -> FloatArray:
    """(…, 2) pixels of the crop to those of the picture."""
    return (points - region[:, 2]) @ np.linalg.inv(region[:, :2]).T
