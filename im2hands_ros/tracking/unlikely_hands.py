"""What is unlikely about the joints of a frame, by the picture's geometry and by anatomy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import PALM_LENGTHS, handedness, palm_length
from im2hands_ros.camera import Camera
from im2hands_ros.joint_orders import other_order
from im2hands_ros.skeleton import BONES, JOINT_NAMES, SIDES, WRIST
from im2hands_ros.tracking.interfaces import Joints

_LEAST_INSIDE = 0.5  # share of a hand's joints in the picture
_SMALLEST_PX = 20.0
_SAME_PLACE = 0.016  # metres, mean; joints of folded hands are two finger widths apart
_LONGEST_BONE = 0.075  # metres, of a finger; a tall man's are 0.06
_SHORTEST_BONE = 0.0005
_FINGERS = np.arange(1, 21).reshape(5, 4)  # joints from knuckle to tip
_DEPTHS_APART = 0.3  # metres of depth image and keypoints, more than they are corrected by
_SURE = 6.0  # logarithm of the odds in a single frame, in which a joint may be far off
_FLATTEST = 0.0005  # metres from joint to joint along an axis; even a flat hand's wrist lies off


def unlikely_hands(camera: Camera, joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
    """Kind and text of what is unlikely.

    Args:
        camera: of the picture.
        joints: side -> (21, 3) metres, camera frame, MANO order.
    """
    for side, xyz in joints.items():
        yield from _in_picture(camera, side, xyz)
        yield from _anatomy(side, xyz)
    yield from _pair(joints)


def unlikely_depth(
    camera: Camera, joints: Mapping[str, Joints], depth: NDArray[np.floating]
) -> Iterator[tuple[str, str]]:
    """Kind and text of a depth image that does not show the hands where the joints have them.

    Args:
        camera, joints: as `unlikely_hands`'.
        depth: (H, W) metres along z, 0 or NaN where unknown.
    """
    for side, xyz in joints.items():
        pixels = np.rint(camera.project(xyz))
        inside = ((pixels >= 0) & (pixels < depth.shape[::-1])).all(axis=1)
        u, v = pixels[inside].astype(int).T
        at_joints, given = depth[v, u], xyz[inside, 2]
        known = np.isfinite(at_joints) & (at_joints > 0)
        if inside.any() and not known.any():
            yield (
                "depth_unknown",
                f"the depth image has no depth at any joint of the {side} hand: keep hands in the "
                "depth camera's range, and register its images to the colour image",
            )
        elif inside.any():
            seen = float(np.median(at_joints[known]))
            if abs(seen - float(np.median(given[known]))) > _DEPTHS_APART:
                yield (
                    "depth_far",
                    f"the depth image has {seen:.3g} m where the {side} hand's keypoints are at "
                    f"{float(np.median(given[known])):.3g} m, and is not used there: check its "
                    "unit, is_bigendian and registration, and what is in front of the hand",
                )


def _in_picture(camera: Camera, side: str, xyz: Joints) -> Iterator[tuple[str, str]]:
    pixels = camera.project(xyz)
    last = np.array([camera.width, camera.height]) - 0.5
    inside = int(((pixels > -0.5) & (pixels < last)).all(axis=1).sum())
    if inside < _LEAST_INSIDE * len(xyz):
        u, v = np.median(pixels, axis=0)
        yield (
            "outside_image",
            f"{len(xyz) - inside} of {len(xyz)} keypoints of the {side} hand lie outside the "
            f"{camera.width}x{camera.height} picture, around pixel ({u:.0f}, {v:.0f}): give "
            "keypoints of this camera, and its own K",
        )
    extent = float(np.linalg.norm(np.ptp(pixels, axis=0)))
    if extent < _SMALLEST_PX:
        yield (
            "tiny_hand",
            f"the {side} hand is {extent:.0f} px across, at {xyz[0, 2]:.1f} m: check the distance "
            "of the keypoints and the focal length, or use a larger picture",
        )
    for axis, name in enumerate(("x", "y", "depth")):
        if float(np.ptp(xyz[:, axis])) < _FLATTEST:
            yield (
                "flat_hand",
                f"all joints of the {side} hand have the {name} {xyz[0, axis]:.3f} m: give each "
                "joint its own, not the wrist's to all",
            )


def _anatomy(side: str, xyz: Joints) -> Iterator[tuple[str, str]]:
    if order := other_order(xyz):
        yield wrong_order(side, order)
        return
    palm = palm_length(xyz)
    if not PALM_LENGTHS[0] < palm < PALM_LENGTHS[1]:
        yield (
            "palm_length",
            f"the {side} palm is {1e3 * palm:.0f} mm from wrist to middle knuckle, a hand's "
            f"{1e3 * PALM_LENGTHS[0]:.0f} to {1e3 * PALM_LENGTHS[1]:.0f}: check the keypoints' "
            "unit and scale",
        )
    else:
        yield from _bones(side, xyz)
        yield from _fingers(side, xyz)
    yield from other_hand(side, handedness(xyz), _SURE)


def wrong_order(side: str, order: str) -> tuple[str, str]:
    """Kind and text of a hand whose joints are in another order."""
    return (
        "joint_order",
        f"the bones of the {side} hand have no hand's proportions, but would in another joint "
        f"order: {order}: set joint_order, or reorder",
    )


def other_hand(side: str, odds: float, sure: float) -> Iterator[tuple[str, str]]:
    """Kind and text of a hand whose joints are the other hand's by these `handedness`."""
    if (odds if side == "left" else -odds) > sure:
        other = "right" if side == "left" else "left"
        yield (
            "chirality",
            f"the fingers of the {side} hand bend as a {other} one's: swap the sides, or undo a "
            "mirrored axis (with y up, as in Unity, negate y) or mirrored image",
        )


def _bones(side: str, xyz: Joints) -> Iterator[tuple[str, str]]:
    """Joints that lie in one place, and fingers longer than any."""
    parents, children = np.array([each for each in BONES if each[0] != WRIST]).T
    lengths = np.linalg.norm(xyz[children] - xyz[parents], axis=1)
    together = children[lengths < _SHORTEST_BONE]
    if len(together):
        yield (
            "coincident_joints",
            f"{len(together)} joints of the {side} hand lie on the joint before them, from "
            f"{JOINT_NAMES[together[0]]} on: give NaN, or left_confidence or right_confidence 0, "
            "for joints that are not tracked",
        )
    longest = int(lengths.argmax())
    if lengths[longest] > _LONGEST_BONE:
        yield (
            "bone_length",
            f"{JOINT_NAMES[children[longest]]} of the {side} hand is {1e3 * lengths[longest]:.0f} "
            f"mm from the joint before it, a finger's at most {1e3 * _LONGEST_BONE:.0f}: check "
            "scale and joint order, or give NaN for joints that the tracker has lost",
        )


def _fingers(side: str, xyz: Joints) -> Iterator[tuple[str, str]]:
    """Fingers that lie in one another, and one that begins where it should end."""
    fingers = xyz[_FINGERS]  # (5, 4, 3)
    apart = np.linalg.norm(fingers[:, None] - fingers[None], axis=-1).max(axis=-1)
    for one, other in np.argwhere(np.triu(apart < _SHORTEST_BONE, 1))[:1]:
        yield (
            "coincident_joints",
            f"{JOINT_NAMES[_FINGERS[one, 3]]} and {JOINT_NAMES[_FINGERS[other, 3]]} of the {side} "
            "hand lie in one place, and so do the joints before them: give each finger its own",
        )
    reach = np.linalg.norm(fingers[:, 0] - xyz[WRIST], axis=-1)
    if reach.max() > PALM_LENGTHS[1]:
        yield (
            "bone_length",
            f"{JOINT_NAMES[_FINGERS[int(reach.argmax()), 0]]} of the {side} hand is "
            f"{1e3 * reach.max():.0f} mm from the wrist, a hand's at most "
            f"{1e3 * PALM_LENGTHS[1]:.0f}: check scale and joint order",
        )


def _pair(joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
    if len(joints) < len(SIDES):
        return
    left, right = (joints[side] for side in SIDES)
    apart = float(np.linalg.norm(left - right, axis=1).mean())
    if apart < _SAME_PLACE:
        yield (
            "same_place",
            f"left and right hand lie in one place, their joints {1e3 * apart:.0f} mm apart: one "
            "hand was sent twice: leave one out",
        )
