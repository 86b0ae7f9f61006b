"""What an image and keypoints must be like: one check for API, command line, bags and node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

# What 21 points must be like to be a hand in front of a camera, metres.
_FARTHEST, _NEAREST_DEPTH = 10.0, 0.01
_SMALLEST_HAND, _LARGEST_HAND = 0.03, 0.5


def check_keypoints(keypoints: Mapping[str, ArrayLike | None]) -> dict[str, NDArray[np.float32]]:
    """The present hands, left first, as (21, 3) float32.

    Args:
        keypoints: "left" and "right" -> (21, 3) metres, camera frame, MANO order; None or missing
            for an absent hand.

    Raises:
        BadInput: keypoints that cannot be a hand's; names the side, the value and the remedy.
    """
    unknown = set(keypoints) - set(SIDES)
    if unknown:
        raise BadInput(
            "keypoints_side", f"keypoints have side '{unknown.pop()}': use {' and '.join(SIDES)}"
        )
    present = {}
    for side in SIDES:
        given = keypoints.get(side)
        if given is not None:
            present[side] = np.asarray(given, np.float32)
            check_hand(present[side], f"the {side} hand", "leave it out")
    return present


def check_hand(xyz: NDArray[np.float32], name: str, when_absent: str) -> None:
    """Refuse joints that are not (21, 3) finite metres of a hand in front of the camera.

    Args:
        xyz: joints, camera frame.
        name: how the message calls them.
        when_absent: what to do with a hand that is not tracked.

    Raises:
        BadInput: names the value and the remedy.
    """
    if xyz.shape != (JOINT_COUNT, 3):
        raise BadInput("keypoints_count", f"{name} has shape {xyz.shape}: give (21, 3), metres")
    bad = int((~np.isfinite(xyz).all(axis=1)).sum())
    if bad:
        raise BadInput(
            "keypoints_not_finite",
            f"{bad} keypoints of {name} are NaN or infinite: {when_absent} "
            "when the hand is not tracked",
        )
    farthest, nearest = float(np.abs(xyz).max()), float(xyz[:, 2].min())
    if farthest > _FARTHEST:
        raise BadInput(
            "keypoints_range", f"{name} reaches {farthest:.4g} m: give metres, not millimetres"
        )
    if nearest < _NEAREST_DEPTH:
        raise BadInput(
            "keypoints_range",
            f"{name} has depth {nearest:.3f} m: give points in the camera's optical frame "
            "(z forward)",
        )
    size = float(np.linalg.norm(np.ptp(xyz, axis=0)))
    if not _SMALLEST_HAND < size < _LARGEST_HAND:
        raise BadInput(
            "keypoints_size",
            f"{name} is {size:.3f} m across: give a hand's 21 joints in metres",
        )


def check_image(image: NDArray[np.uint8], camera: Camera) -> None:
    """Raise BadInput unless the image is (H, W, 3) uint8 of the camera's size."""
    expected = (camera.height, camera.width, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise BadInput(
            "image_size",
            f"image is {image.shape} {image.dtype}: the camera needs {expected} uint8, RGB",
        )
