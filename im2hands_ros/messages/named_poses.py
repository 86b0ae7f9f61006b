"""NamedPoseArray of teleop_ros2_interfaces (IsaacTeleop): OpenXR's joints by their names. No ROS.

Its fields, as published in 2026: ``std_msgs/Header header``, ``string[] name``,
``geometry_msgs/Pose[] pose``, ``bool[] is_valid``. A joint that is not tracked has a pose of zeros
and ``is_valid`` false, and so have all joints of an absent hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.header import HeaderFields
from im2hands_ros.messages.keypoints import CheckedKeypoints, checked_hands
from im2hands_ros.skeleton import ORDER_OPENXR, SIDES, to_mano_order

NAMED_POSE_ARRAY = "teleop_ros2_interfaces/msg/NamedPoseArray"

# OpenXR's joints after the palm; the thumb has no intermediate bone.
_JOINTS = (
    "wrist",
    *(f"thumb_{bone}" for bone in ("metacarpal", "proximal", "distal", "tip")),
    *(
        f"{finger}_{bone}"
        for finger in ("index", "middle", "ring", "little")
        for bone in ("metacarpal", "proximal", "intermediate", "distal", "tip")
    ),
)


class _Point(Protocol):
    x: float
    y: float
    z: float


class _Pose(Protocol):
    position: _Point


class NamedPoses(Protocol):
    """The message's fields."""

    header: HeaderFields
    name: Sequence[str]
    pose: Sequence[_Pose]
    is_valid: Sequence[bool]


def read_named_poses(message: NamedPoses) -> CheckedKeypoints:
    """Read the hands' joints by name; other names are not ours and are left out."""
    try:
        places = _places(message)
    except BadInput as problem:
        return CheckedKeypoints(dict.fromkeys(SIDES), (problem,), message.header.frame_id)
    hands = {side: _hand(places, side) for side in SIDES}
    return checked_hands(
        message.header.frame_id, hands, "set is_valid of its joints to false", ORDER_OPENXR
    )


def _places(message: NamedPoses) -> dict[str, tuple[float, float, float]]:
    """Positions of the valid poses by name, in lower case."""
    counts = len(message.name), len(message.pose), len(message.is_valid)
    if len(set(counts)) > 1:
        raise BadInput(
            "keypoints_count",
            f"{counts[0]} names, {counts[1]} poses and {counts[2]} is_valid: give one of each for "
            "every joint",
        )
    known = {f"{side}_{joint}" for side in SIDES for joint in _JOINTS}
    names = [name.strip(" \0").lower() for name in message.name]
    if not known & set(names):
        raise BadInput(
            "keypoints_names",
            f"the poses are called {', '.join(message.name[:3]) or 'nothing'}: give OpenXR's names "
            "with the side, such as left_WRIST and right_INDEX_TIP",
        )
    twice = next((name for name in names if name in known and names.count(name) > 1), "")
    if twice:
        raise BadInput(
            "keypoints_names", f"two poses are called {twice}: give every joint a pose of its own"
        )
    each = zip(names, message.pose, message.is_valid, strict=True)
    return {
        name: (pose.position.x, pose.position.y, pose.position.z)
        for name, pose, is_valid in each
        if is_valid
    }


def _hand(places: dict[str, tuple[float, float, float]], side: str) -> NDArray[np.float32] | None:
    nowhere = (np.nan, np.nan, np.nan)
    xyz = np.array([places.get(f"{side}_{joint}", nowhere) for joint in _JOINTS], np.float32)
    return None if np.isnan(xyz).all() else to_mano_order(xyz, ORDER_OPENXR)
