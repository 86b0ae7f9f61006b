"""What an image and keypoints must be like: one check for API, command line, bags and node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import JOINT_COUNT, SIDES, WRIST
from im2hands_ros.unseen_joints import MOST_UNSEEN, Shares, estimate_doubtful, seen_joints

# What 21 points must be like to be a hand in front of a camera, metres.
_FARTHEST, _NEAREST_DEPTH = 10.0, 0.01
_SMALLEST_HAND, _LARGEST_HAND = 0.03, 0.5
_MOST_PIXELS = 20_000
_FARTHEST_DEPTH = 100.0  # metres


def check_keypoints(
    keypoints: Mapping[str, ArrayLike | None], shares: Mapping[str, Shares] | None = None
) -> dict[str, NDArray[np.float32]]:
    """The present hands, left first, as (21, 3) float32, all finite.

    Args:
        keypoints: "left" and "right" -> (21, 3) metres, camera frame, MANO order; None or missing
            for an absent hand. Joints that are NaN or infinite were not seen.
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
    if problem := _unlike_metres(np.where(seen[:, None], xyz, np.median(xyz[seen], axis=0))):
        reason, text = problem
        raise BadInput(reason, f"{name} {text}")


def _unlike_metres(xyz: NDArray[np.floating]) -> tuple[str, str] | None:
    """Why joints cannot be a hand's metres in the optical frame: reason, value and remedy."""
    xyz = xyz.astype(np.float64)  # squares of what is no metre may overflow
    farthest, nearest = float(np.abs(xyz).max()), float(xyz[:, 2].min())
    size = float(np.linalg.norm(np.ptp(xyz, axis=0)))
    near_enough = farthest <= _FARTHEST and nearest >= _NEAREST_DEPTH
    if near_enough and _SMALLEST_HAND < size < _LARGEST_HAND:
        return None
    if cause := _other_convention(xyz, size):
        return ("keypoints_range" if not near_enough else "keypoints_size"), cause
    if farthest > _FARTHEST:
        return "keypoints_range", (
            f"reaches {farthest:.4g} m: give metres in the camera's optical frame, within "
            f"{_FARTHEST:.0f} m of the camera"
        )
    if nearest < _NEAREST_DEPTH:
        return "keypoints_range", (
            f"has depth {nearest:.3f} m: give points in the camera's optical frame (z forward)"
        )
    return "keypoints_size", f"is {size:.3f} m across: give a hand's 21 joints in metres"


def _other_convention(xyz: NDArray[np.floating], size: float) -> str:
    """The convention that the joints follow, and the remedy; empty when none is recognised."""
    low, high = xyz[:, :2].min(), xyz[:, :2].max()
    depths = np.abs(xyz[:, 2])
    is_hand = _SMALLEST_HAND < size < _LARGEST_HAND
    if not xyz[WRIST].any():
        return "has its wrist at the origin: add the wrist's position in the camera's frame"
    if low >= 0 and high <= 1 and depths.max() < 1 and depths[WRIST] < 1e-3:
        return (
            f"reaches from {low:.2f} to {high:.2f} with the wrist at depth 0, as coordinates "
            "normalised to the picture: lift them to metres (im2hands_detector does)"
        )
    middle = float(np.median(xyz[:, :2].max(axis=1)))
    flat = depths.max() <= _FARTHEST or (low >= 0 and depths[WRIST] < 1e-3)
    if flat and _FARTHEST < middle < _MOST_PIXELS:
        return (
            f"reaches {high:.4g} with depths up to {depths.max():.3g}, as pixels: lift them to "
            "metres (im2hands_detector does)"
        )
    for unit, scale in (("millimetres", 1000), ("centimetres", 100)):
        nearest, farthest = xyz[:, 2].min() / scale, np.abs(xyz).max() / scale
        hand = 0.08 < size / scale < 0.35
        if hand and nearest > 0.05 and farthest < _FARTHEST:
            return (
                f"reaches {np.abs(xyz).max():.4g} m and is {size:.4g} m across: give metres, not "
                f"{unit}: divide by {scale}"
            )
    if is_hand and xyz[:, 2].max() < 0:
        return (
            f"has depth {xyz[:, 2].min():.3f} m, behind the camera: give points in the camera's "
            "optical frame (z forward): from OpenGL negate y and z"
        )
    return ""


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
