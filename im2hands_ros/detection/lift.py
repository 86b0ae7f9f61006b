"""From landmarks in the picture to joints in metres before the camera.

The shape that MediaPipe gives is turned right but neither placed nor sized. One picture cannot tell
a large hand far away from a small one near by: the size comes from the user, the place is what then
fits the picture. (Solving for a rotation too, as PnP does, was no better and less steady.)
"""

from __future__ import annotations

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.detection.landmarks import FloatArray, Landmarks, mean_bone_length
from im2hands_ros.skeleton import JOINT_COUNT, MIDDLE_MCP, WRIST

PALM_LENGTH = 0.093
"""Metres from wrist to middle knuckle: the mean of the synthetic adults."""

# Measured on 162 hands found in 180 of our own renders. The bones' mean length is steadier than
# the palm's, which foreshortening spoils; MediaPipe's wrist lies nearer the fingers than the joint.
_BONE_PER_PALM = 0.416
_WRIST_SHIFT = 0.05  # palm lengths

_RANGE = (0.05, 5.0)  # metres; what is found outside is no hand

# Depth images show skin, and other things where a joint is hidden or lies on an edge.
_SKIN_TO_JOINT = 0.012  # metres
_WINDOW = 2  # pixels around a landmark
_FEWEST = 4  # landmarks with a depth
_AGREEMENT = 0.03  # metres that depths may differ from the hand's and count for its place
_OWN_DEPTH = 0.04  # metres within which a landmark's own depth is half believed


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
        depth: (H, W) metres along z, registered to the picture; 0 or not finite: unknown.
        mirrored: the picture is mirrored left to right; the joints are those of the real hand.

    Returns:
        (21, 3) float32, metres, or None for what cannot be a hand before this camera.
    """
    rays = camera.back_project(hand.pixels, np.ones(JOINT_COUNT))[:, :2]
    if mirrored:
        rays = rays * (-1, 1)
    shape = hand.shape * (palm_length * _BONE_PER_PALM / max(mean_bone_length(hand.shape), 1e-6))
    if not (np.isfinite(rays).all() and np.isfinite(shape).all()):
        return None
    z = shape[:, 2] + _distance(shape, rays)
    if depth is not None:
        z = _with_depth(z, depth, hand.pixels)
    if not (_RANGE[0] < z.min() and z.max() < _RANGE[1]):
        return None
    joints = np.column_stack([rays * z[:, None], z])
    joints[WRIST] += _WRIST_SHIFT * (joints[WRIST] - joints[MIDDLE_MCP])
    return joints.astype(np.float32)


def _distance(shape: FloatArray, rays: FloatArray) -> float:
    """How far along z the shape must be moved to lie on the rays, by least squares.

    For each joint (X + t_x) / (Z + t_z) = x, and the same for y: linear in the translation t.
    """
    system = np.zeros((2, JOINT_COUNT, 3))
    system[0, :, 0] = system[1, :, 1] = 1
    system[:, :, 2] = -rays.T
    wanted = rays.T * shape[:, 2] - shape[:, :2].T
    translation = np.linalg.lstsq(system.reshape(-1, 3), wanted.ravel(), rcond=None)[0]
    return float(translation[2])


def _with_depth(z: FloatArray, depth: np.ndarray, pixels: FloatArray) -> FloatArray:
    """Move the hand to where the depth image sees it; unchanged where that sees too little."""
    seen = depth_around(depth, pixels) + _SKIN_TO_JOINT
    offsets = (seen - z)[np.isfinite(seen)]
    if len(offsets) < _FEWEST:
        return z
    near = offsets[np.abs(offsets - np.median(offsets)) < _AGREEMENT]
    z = z + np.median(near if len(near) >= _FEWEST else offsets)
    own = np.abs(seen - z) < _OWN_DEPTH
    return np.where(own, (z + seen) / 2, z)


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
