"""Why joints cannot be a hand's metres in the optical frame: which unit, frame or values they are.

Each message names what fits and what to do; where two causes fit it names both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import PALM_LENGTHS, palm_length
from im2hands_ros.skeleton import JOINT_NAMES, WRIST
from im2hands_ros.unseen_joints import lie_around_origin

Joints = NDArray[np.float64]

# What 21 points must be like to be a hand in front of a camera, metres.
_FARTHEST, _NEAREST_DEPTH = 10.0, 0.01
_SMALLEST_HAND, _LARGEST_HAND = 0.03, 0.5
_MOST_PIXELS = 20_000
_USUAL_PALM = 0.095
_HAND = (0.08, 0.35)  # across, usual ones
_ONE_PLACE = 1e-4
_NO_DEPTH = 1e-3
_MOST_LOST = 5  # joints
_BESIDE_ORIGIN = 0.15  # of the middle of joints that are relative to one of the hand's points
_UNITS = {"millimetres": 1000.0, "centimetres": 100.0, "inches": 39.37}
_AXES = (
    ": from x forward and z up give (-y, -z, x)",
    ": from y forward and z up give (x, -z, y)",
)
_TOO_SMALL = (0.001, 0.01)  # metres that were divided as millimetres or centimetres


def unlike_metres(given: NDArray[np.floating], when_absent: str) -> tuple[str, str] | None:
    """Reason, and value and remedy, of (21, 3) finite joints; None: they can be a hand.

    when_absent: what to do with a hand that is not tracked.
    """
    xyz = given.astype(np.float64)  # squares of what is no metre may overflow
    if is_hand_in_metres(xyz):
        return None
    size = _across(xyz)
    if zeros := _at_origin(xyz):
        return "keypoints_zero", zeros
    reason = "keypoints_size" if _is_in_range(xyz) else "keypoints_range"
    if size < _ONE_PLACE:
        place = ", ".join(f"{value:.3g}" for value in xyz[WRIST])
        return reason, (
            f"is 0.000 m across, all joints at ({place}): {when_absent} when the hand is not "
            "tracked"
        )
    causes = (_pixels, _relative, _normalised, _other_unit, _other_axes)
    text = next(filter(None, (cause(xyz, size) for cause in causes)), _plain(xyz, size))
    return reason, text + _lost(xyz)


def is_hand_in_metres(xyz: Joints) -> bool:
    """Whether (N, 3) joints, N > 0, are as large and as far away as a hand's may be."""
    return _is_in_range(xyz) and _SMALLEST_HAND < _across(xyz) < _LARGEST_HAND


def _is_in_range(xyz: Joints) -> bool:
    return float(np.abs(xyz).max()) <= _FARTHEST and float(xyz[:, 2].min()) >= _NEAREST_DEPTH


def _across(xyz: Joints) -> float:
    return float(np.linalg.norm(np.ptp(xyz, axis=0)))


def _at_origin(xyz: Joints) -> str:
    """Joints that a tracker fills with zeros; one alone may be what the others refer to."""
    zero = np.flatnonzero(~xyz.any(axis=1))
    if not len(zero) or _reference(xyz) is not None:
        return ""
    return (
        f"has {len(zero)} of {len(xyz)} joints at the origin, from {JOINT_NAMES[zero[0]]} on: give "
        "NaN, or confidence 0, for joints that are not tracked"
    )


def _reference(xyz: Joints) -> int | None:
    """The joint at the origin that the others lie around."""
    zero = np.flatnonzero(~xyz.any(axis=1))
    others = np.delete(xyz, zero, axis=0)
    if len(zero) != 1:
        return None
    return int(zero[0]) if lie_around_origin(others) else None


def _lost(xyz: Joints) -> str:
    """The joints that alone keep the others from being a hand, as a hint; empty: none."""
    off = np.abs(xyz - np.median(xyz, axis=0)).max(axis=1) > _LARGEST_HAND / 2
    others = xyz[~off]
    if not 0 < off.sum() <= _MOST_LOST or not is_hand_in_metres(others):
        return ""
    names = ", ".join(JOINT_NAMES[joint] for joint in np.flatnonzero(off))
    return f"; {names} alone lies far off: give NaN, or confidence 0, for a joint that is lost"


def _relative(xyz: Joints, size: float) -> str:
    unit, scale = _unit(xyz, size)
    also = f", and divide {unit} by {scale:g}" if unit else ""
    joint = _reference(xyz)
    if joint is not None:
        name = JOINT_NAMES[joint]
        return (
            f"has its {name} at the origin: add the {name}'s position in the camera's frame{also}"
        )
    low, high = xyz[:, 2].min(), xyz[:, 2].max()
    is_hand = _SMALLEST_HAND < size / scale < _LARGEST_HAND
    beside = float(np.linalg.norm(np.median(xyz, axis=0))) < _BESIDE_ORIGIN * scale
    if not (is_hand and beside and low < 0 < high):
        return ""
    return (
        f"lies around the camera, its depths from {low:.3g} to {high:.3g} m, as joints relative to "
        f"a point of the hand: add that point's position in the camera's frame{also}"
    )


def _normalised(xyz: Joints, size: float) -> str:
    low, high = xyz[:, :2].min(), xyz[:, :2].max()
    has_no_depth = abs(xyz[WRIST, 2]) < _NO_DEPTH and np.abs(xyz[:, 2]).max() < 1
    if not (has_no_depth and low > -1.5 and high < 2 and size > _SMALLEST_HAND):
        return ""
    text = (
        f"reaches from {low:.2f} to {high:.2f} with the wrist at depth 0, as coordinates "
        "normalised to the picture"
    )
    if low >= 0 and high <= 1:
        return f"{text}: lift them to metres (im2hands_detector does)"
    return (
        f"{text}, or depths relative to the wrist: lift them to metres (im2hands_detector does), "
        "or add the wrist's depth"
    )


def _pixels(xyz: Joints, size: float) -> str:
    low, high = xyz[:, :2].min(), xyz[:, :2].max()
    depths = np.abs(xyz[:, 2])
    middle = float(np.median(xyz[:, :2].max(axis=1)))
    is_flat = depths.max() <= _FARTHEST or (low >= 0 and depths[WRIST] < _NO_DEPTH)
    if size < _LARGEST_HAND or _reference(xyz) is not None:
        return ""
    if not (is_flat and _FARTHEST < middle < _MOST_PIXELS):
        return ""
    return (
        f"reaches {high:.4g} with depths up to {depths.max():.3g}, as pixels: lift them to "
        "metres (im2hands_detector does)"
    )


def _unit(xyz: Joints, size: float) -> tuple[str, float]:
    """Name of the unit that makes a hand of the joints, and how many are a metre; no name: none.

    The palm tells inches and centimetres apart; joints in another order have none.
    """
    palm = palm_length(xyz)
    if _SMALLEST_HAND < size < _LARGEST_HAND:
        return "", 1.0
    fits = [
        unit for unit, scale in _UNITS.items() if PALM_LENGTHS[0] < palm / scale < PALM_LENGTHS[1]
    ]
    if fits:
        best = min(fits, key=lambda unit: abs(math.log(palm / _UNITS[unit] / _USUAL_PALM)))
        return best, _UNITS[best]
    for unit, scale in _UNITS.items():
        if _HAND[0] < size / scale < _HAND[1]:
            return unit, scale
    return "", 1.0


def _other_unit(xyz: Joints, size: float) -> str:
    reach, depths = float(np.abs(xyz).max()), xyz[:, 2]
    unit, scale = _unit(xyz, size)
    is_behind = depths.max() < 0
    nearest = float(np.abs(depths).min())
    if unit and (is_behind or depths.min() > 0) and nearest > 0.05 * scale:
        if reach > _FARTHEST * scale:
            return ""
        text = (
            f"reaches {reach:.4g} m and is {size:.4g} m across: give metres, not {unit}: divide by "
            f"{scale:g}"
        )
        if is_behind:
            return text + ", in the camera's optical frame (z forward): from OpenGL negate y and z"
        if xyz[:, :2].min() >= 0 and unit == "millimetres":
            return text + "; where x and y are pixels, lift them with their depth"
        return text
    for factor in _TOO_SMALL:
        is_hand = PALM_LENGTHS[0] < palm_length(xyz) / factor < PALM_LENGTHS[1]
        if is_hand and 0.05 * factor < depths.min() and reach < _FARTHEST * factor:
            return (
                f"is {size:.3g} m across and {depths.min():.3g} m away: give metres: multiply by "
                f"{1 / factor:g}"
            )
    return ""


def _other_axes(xyz: Joints, size: float) -> str:
    nearest = float(xyz[:, 2].min())
    if not _SMALLEST_HAND < size < _LARGEST_HAND or nearest >= _NEAREST_DEPTH:
        return ""
    middle = np.abs(np.median(xyz, axis=0))
    if float(xyz[:, 2].max()) < 0 and middle.argmax() == 2:
        return (
            f"has depth {nearest:.3f} m, behind the camera: give points in the camera's "
            "optical frame (z forward): from OpenGL negate y and z"
        )
    ahead = xyz.min(axis=0)
    hint = _AXES[int(ahead[:2].argmax())] if max(ahead[:2]) > 0.1 else ""
    return f"has depth {nearest:.3f} m: give points in the camera's optical frame (z forward){hint}"


def _plain(xyz: Joints, size: float) -> str:
    """What is wrong, where no cause is recognised."""
    farthest, nearest = float(np.abs(xyz).max()), float(xyz[:, 2].min())
    if farthest > _FARTHEST:
        return (
            f"reaches {farthest:.4g} m: give metres in the camera's optical frame, within "
            f"{_FARTHEST:.0f} m of the camera"
        )
    if nearest < _NEAREST_DEPTH and size >= _SMALLEST_HAND:
        return f"has depth {nearest:.3f} m: give points in the camera's optical frame (z forward)"
    return f"is {size:.3g} m across: give a hand's 21 joints in metres"
