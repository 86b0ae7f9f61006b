"""What an image and keypoints must be like: one check for API, command line, bags and node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.unlike_metres import unlike_metres
from im2hands_ros.unseen_joints import (
    MOST_UNSEEN,
    Shares,
    estimate_doubtful,
    seen_joints,
    zeros_as_unseen,
)

_FARTHEST_DEPTH = 100.0  # metres


def check_keypoints(
    keypoints: Mapping[str, ArrayLike | None], shares: Mapping[str, Shares] | None = None
) -> dict[str, NDArray[np.float32]]:
    """The present hands, left first, as (21, 3) float32, all finite.

    Args:
        keypoints: "left" and "right" -> (21, 3) metres, camera frame, MANO order; None or missing
            for an absent hand. Joints that are NaN, infinite or at the camera's own centre were not
            seen.
        shares: side -> confidence of its joints; missing: 1. Joints that were not seen, or hardly,
            are estimated from the others.

    Raises:
        BadInput: keypoints that cannot be a hand's; names the side, the value and the remedy.
    """
    if not isinstance(keypoints, Mapping):
        raise BadInput(
            "keypoints_side",
            f"keypoints are a {type(keypoints).__name__}: give a dict of left and right",
        )
    unknown = set(keypoints) - set(SIDES)
    if unknown:
        raise BadInput(
            "keypoints_side", f"keypoints have side '{unknown.pop()}': use {' and '.join(SIDES)}"
        )
    present = {}
    for side in SIDES:
        given = keypoints.get(side)
        if given is not None:
            xyz = _joints(given, side)
            if xyz.shape == (JOINT_COUNT, 3):
                xyz = zeros_as_unseen(xyz)
            check_hand(xyz, f"the {side} hand", "leave it out")
            present[side] = estimate_doubtful(xyz, side, (shares or {}).get(side))
    return present


def _joints(given: ArrayLike, side: str) -> NDArray[np.float32]:
    """As float32, NaN where a masked array masks."""
    try:
        if isinstance(given, np.ma.MaskedArray):
            return np.ma.filled(given.astype(np.float32), np.nan)
        return np.asarray(given, np.float32)
    except (TypeError, ValueError) as error:
        raise BadInput(
            "keypoints_count", f"the {side} hand is no array of numbers ({error}): give (21, 3)"
        ) from error


def check_hand(xyz: NDArray[np.float32], name: str, when_absent: str) -> None:
    """Refuse joints that are not (21, 3) metres of a hand in front of the camera.

    Half of them may be NaN or infinite, which means not seen.

    Args:
        xyz: joints, camera frame.
        name: how the message calls them.
        when_absent: what to do with a hand that is not tracked.

    Raises:
        BadInput: names the value and the remedy.
    """
    if xyz.shape != (JOINT_COUNT, 3):
        raise BadInput("keypoints_count", f"{name} has shape {xyz.shape}: give (21, 3), metres")
    seen = seen_joints(xyz)
    unseen = int((~seen).sum())
    if unseen > MOST_UNSEEN * JOINT_COUNT:
        raise BadInput(
            "keypoints_not_finite",
            f"{unseen} of {JOINT_COUNT} keypoints of {name} are NaN or infinite: {when_absent} "
            "when the hand is not tracked",
        )
    if not xyz[seen].any():
        raise BadInput("keypoints_zero", f"{name} holds zeros alone: {when_absent}")
    all_finite = np.where(seen[:, None], xyz, np.median(xyz[seen], axis=0))
    if problem := unlike_metres(all_finite, when_absent):
        reason, text = problem
        raise BadInput(reason, f"{name} {text}")


def _check_array(name: str, given: object) -> None:
    if not isinstance(given, np.ndarray):
        raise BadInput(
            f"{name}_type",
            f"{name} is a {type(given).__name__}: give a NumPy array, as of np.asarray",
        )


def check_image(image: NDArray[np.uint8], camera: Camera) -> None:
    """Raise BadInput unless the image is (H, W, 3) uint8 of the camera's size."""
    expected = (camera.height, camera.width, 3)
    _check_array("image", image)
    if image.shape != expected or image.dtype != np.uint8:
        raise BadInput(
            "image_size",
            f"image is {image.shape} {image.dtype}: the camera needs {expected} uint8, RGB",
        )


def check_depth(depth: NDArray[np.floating], camera: Camera) -> None:
    """Raise BadInput unless the depth image is (H, W) metres of the camera's size."""
    expected = (camera.height, camera.width)
    _check_array("depth", depth)
    if depth.shape != expected or not np.issubdtype(depth.dtype, np.floating):
        raise BadInput(
            "depth_size",
            f"depth image is {depth.shape} {depth.dtype}: the camera needs {expected} metres as "
            "floats, registered to the image",
        )
    some = depth[::8, ::8]  # a median of all takes as long as the rest of the frame
    finite = some[np.isfinite(some)]
    if finite.size and float(finite.max()) <= 0 and finite.min() < 0:
        raise BadInput(
            "depth_sign",
            f"depth image is negative, {float(np.median(finite)):.4g} m: give metres along z, "
            "positive in front of the camera",
        )
    known = finite[finite > 0]
    if known.size and float(np.median(known)) > _FARTHEST_DEPTH:
        raise BadInput(
            "depth_unit",
            f"depth image has the median {float(np.median(known)):.4g} m: give metres, divide "
            "millimetres by 1000",
        )
