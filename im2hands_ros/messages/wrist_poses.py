"""geometry_msgs/PoseStamped of the wrists, from a stream of keypoints. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import HeaderFields
from im2hands_ros.skeleton import WRIST
from im2hands_ros.wrist import quaternion, wrist_rotation


class PosedHand(Protocol):
    """A hand's (21, 3) float32 keypoints, metres, MANO order; confidence in [0, 1] or None."""

    @property
    def keypoints(self) -> NDArray[np.float32]: ...

    @property
    def confidence(self) -> float | None: ...


class WristPose(NamedTuple):
    """camera_from_wrist: (3,) position, metres, and (4,) unit quaternion x, y, z, w."""

    position: NDArray[np.floating]
    orientation: NDArray[np.float64]


class WristPoses:
    """The wrists of each frame; a quaternion does not jump to its opposite, the same rotation."""

    def __init__(self) -> None:
        self._last: dict[str, NDArray[np.float64]] = {}

    def of(self, hands: Mapping[str, PosedHand]) -> dict[str, WristPose]:
        """Side -> pose in the frame of the keypoints; a palm seen as a line has none."""
        poses = {}
        for side, hand in hands.items():
            rotation = wrist_rotation(hand.keypoints, side)
            if rotation is not None:
                self._last[side] = quaternion(rotation, near=self._last.get(side))
                poses[side] = WristPose(hand.keypoints[WRIST], self._last[side])
        return poses


def write_wrist_pose(header: HeaderFields, pose: WristPose) -> bytes:
    """A serialised PoseStamped."""
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("3d 4d", *pose.position.tolist(), *pose.orientation.tolist())
    return cdr.message
