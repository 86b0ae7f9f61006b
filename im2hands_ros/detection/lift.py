"""From landmarks in the picture to joints in metres before the camera.

One image cannot tell a large hand far away from a small one near by. The joints lie on the rays
of their landmarks; how much farther one is than another the landmark network estimates, as a share
of the distance; the distance itself follows from the length of the user's bones, or from a depth
image. (The metric hand by itself, which it gives, too, was of no more use: alone or averaged with
the relief, or fitted to the picture by least squares or by PnP.)
"""

from __future__ import annotations

import math

import numpy as np

from im2hands_ros.anatomy import PALM_LENGTHS, mean_bone_length
from im2hands_ros.camera import Camera
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.skeleton import JOINT_COUNT, MIDDLE_MCP, WRIST

PALM_LENGTH = 0.093
"""Metres from wrist to middle knuckle: the mean of the synthetic adults."""

# Fitted to 68 hands found in 40 of our own renders. The mean over all bones is steadier than the
# palm, which foreshortening spoils. True bones are 0.416 palms long; errors make them longer.
_BONE_PER_PALM = 0.403
_WRIST_SHIFT = 0.05  # palm lengths; MediaPipe's wrist lies nearer the fingers than the joint

_RANGE = (0.05, 5.0)  # metres; what is found outside is no hand

# Depth images show skin, and other things where a joint is hidden or lies on an edge.
_SKIN_TO_JOINT = 0.012  # metres
_WINDOW = 2  # pixels around a landmark
_FEWEST = 4  # landmarks with a depth
_AGREEMENT = 0.012  # metres; deviation of right depths from the hand's
_ROUNDS = 5  # of the mean of depths that agree with the mean
_OWN_DEPTH = 0.04  # metres within which a landmark's own depth has half the weight

# Of the logarithm of the ratio of both distances. Fitted to 62 pairs found in our own renders,
# touching and up to 25 cm apart: the hands' places to each other are 52 instead of 98 mm off.
_KEPT = 0.3
ANOTHER_PERSON = 0.7  # the same logarithm: one hand seems twice as far away as the other


def lift(
    hand: Landmarks,
    camera: Camera,
    palm_length: float = PALM_LENGTH,
    depth: np.ndarray | None = None,
    mirrored: bool = False,
) -> np.ndarray | None:
    """Joints of one hand in the camera's frame.

    Args:
        hand: the landmarks, in the pixels of the camera's picture.
        camera: the camera; its lens distortion is taken out.
        palm_length: of the user's hand, wrist to middle knuckle, metres.
        depth: (H, W) metres along z, registered to the picture; 0 or not finite: unknown. It
            overrules the palm length where it shows the hand.
        mirrored: the picture is mirrored left to right; the joints are those of the real hand.

    Returns:
        (21, 3) float32, metres, or None for what cannot be a hand before this camera, or is none by
        its size in the depth image.
    """
    rays = camera.back_project(hand.pixels, np.ones(JOINT_COUNT))
    if mirrored:
        rays *= (-1, 1, 1)
    farther = 1 + (hand.relief - hand.relief.mean()) * 2 / (camera.fx + camera.fy)
    distance = palm_length * _BONE_PER_PALM / mean_bone_length(rays * farther[:, None])
    z = distance * farther
    if depth is not None:
        z = _with_depth(z, depth, hand.pixels)
        shown = palm_length * float(np.mean(z / (distance * farther)))
        if not PALM_LENGTHS[0] < shown < PALM_LENGTHS[1]:
            return None
    if not (_RANGE[0] < z.min() and z.max() < _RANGE[1] and np.isfinite(rays).all()):
        return None
    joints = rays * z[:, None]
    joints[WRIST] += _WRIST_SHIFT * (joints[WRIST] - joints[MIDDLE_MCP])
    return joints.astype(np.float32)


def _with_depth(z: FloatArray, depth: np.ndarray, pixels: FloatArray) -> FloatArray:
    """Move the hand to where the depth image has it; unchanged where too few depths are valid.

    Of the distances that single landmarks give, that counts on which most agree: what hides a hand
    lies before it, and what is seen beside it behind.
    """
    measured = depth_around(depth, pixels) + _SKIN_TO_JOINT
    valid = np.isfinite(measured)
    if valid.sum() < _FEWEST:
        return z
    seen, expected = measured[valid], z[valid]
    ratios = seen / expected
    ratio = ratios[_agreement(seen, ratios[:, None] * expected).sum(1).argmax()]
    for _ in range(_ROUNDS):
        ratio = np.average(ratios, weights=_agreement(seen, ratio * expected))
    moved = z * ratio
    own = np.abs(measured - moved) < _OWN_DEPTH
    return np.where(own, (moved + measured) / 2, moved)


def _agreement(seen: FloatArray, expected: FloatArray) -> FloatArray:
    """1 where two depths are the same, towards 0 where they differ by centimetres."""
    return np.exp(-0.5 * ((seen - expected) / _AGREEMENT) ** 2)  # type: ignore[no-any-return]


def depth_around(depth: np.ndarray, pixels: FloatArray) -> FloatArray:
    """(N,) median of the valid depths around (N, 2) pixels; NaN where there is none."""
    height, width = depth.shape
    medians = np.full(len(pixels), np.nan)
    for index, (column, row) in enumerate(np.rint(pixels).astype(int)):
        if not (0 <= column < width and 0 <= row < height):
            continue
        rows = slice(max(row - _WINDOW, 0), row + _WINDOW + 1)
        window = depth[rows, max(column - _WINDOW, 0) : column + _WINDOW + 1]
        valid = window[np.isfinite(window) & (window > 0)]
        if len(valid):
            medians[index] = np.median(valid)
    return medians


def settle_pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring two hands of one person to distances that fit to each other, each along its rays.

    The distance that one image gives is a seventh off, and of two hands each by its own: hands that
    touch come to lie a palm's length behind each other. The hands of one person differ less than
    these estimates do, so a part of their difference is kept, and their mean.

    Args:
        first, second: (21, 3) joints, metres, camera frame, z > 0.

    Returns:
        (21, 3) float32 each; as given where one seems to be another person's.
    """
    apart = math.log(float(first[:, 2].mean() / second[:, 2].mean()))
    if abs(apart) > ANOTHER_PERSON:
        return first, second
    change = math.exp((_KEPT - 1) * apart / 2)
    return (first * change).astype(np.float32), (second / change).astype(np.float32)
