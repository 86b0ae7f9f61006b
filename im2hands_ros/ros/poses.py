"""The hands for teleoperation: keypoints, wrist poses and, where tf2_ros is, transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from im2hands_ros.msg import HandKeypoints
from im2hands_ros.ros.endpoints import Complain, Output
from im2hands_ros.ros.messages import keypoints_message, present
from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.wrist import quaternion, wrist_rotation

Wrist = tuple[np.ndarray, np.ndarray]  # (3,) position, metres; (4,) quaternion x, y, z, w


class Poses:
    """Publishes keypoints and wrist poses of the hands that are there.

    Args:
        node: owns the publishers.
        complain: called as `complain(kind, text)` about what a user must repair.
        with_transforms: also broadcast `left_wrist` and `right_wrist`, if tf2_ros is installed.
    """

    def __init__(self, node: LifecycleNode, complain: Complain, with_transforms: bool) -> None:
        self._node = node
        self._keypoints = Output(node, HandKeypoints, "refined_keypoints", complain)
        self._wrists = {
            side: Output(node, PoseStamped, f"{side}/wrist_pose", complain) for side in SIDES
        }
        self._last: dict[str, np.ndarray] = {}
        self._broadcaster = _broadcaster(node, complain) if with_transforms else None

    @property
    def outputs(self) -> list[Output]:
        """All outputs but the transforms."""
        return [self._keypoints, *self._wrists.values()]

    @property
    def wanted_as_transforms(self) -> bool:
        """Whether transforms are broadcast and somebody listens to them.

        tf2_ros owns that publisher: its events are not ours to hear.
        """
        return self._broadcaster is not None and self._node.count_subscribers("/tf") > 0

    def destroy(self) -> None:
        """Give the broadcaster's publisher back; the outputs belong to whoever asked for them."""
        publisher = getattr(self._broadcaster, "pub_tf", None)
        if publisher is not None:
            self._node.destroy_publisher(publisher)

    def publish(self, header: Header, hands: Any) -> None:
        """Publish what is subscribed to, under the image's header."""
        keypoints = {side: surface.keypoints for side, surface in present(hands)}
        if self._keypoints.listeners:
            sure = {side: surface.confidence for side, surface in present(hands)}
            self._keypoints.publish(keypoints_message(header, keypoints, confidence=sure))
        for side, xyz in keypoints.items():
            wanted = self._wrists[side].listeners
            wrist = self._wrist(side, xyz) if wanted or self._broadcaster else None
            if wrist is None:
                continue
            if wanted:
                self._wrists[side].publish(wrist_message(header, wrist))
            if self._broadcaster:
                self._broadcaster.sendTransform(transform_message(header, f"{side}_wrist", wrist))

    def _wrist(self, side: str, xyz: np.ndarray) -> Wrist | None:
        rotation = wrist_rotation(xyz, side)
        if rotation is None:
            return None
        self._last[side] = quaternion(rotation, near=self._last.get(side))
        return xyz[WRIST], self._last[side]


def wrist_message(header: Header, wrist: Wrist) -> PoseStamped:
    """A wrist as a PoseStamped in the image's frame."""
    message = PoseStamped(header=header)
    _fill(message.pose.position, message.pose.orientation, wrist)
    return message


def transform_message(header: Header, child: str, wrist: Wrist) -> TransformStamped:
    """A wrist as the transform of frame `child` in the image's frame."""
    message = TransformStamped(header=header, child_frame_id=child)
    _fill(message.transform.translation, message.transform.rotation, wrist)
    return message


def _fill(position: Any, orientation: Any, wrist: Wrist) -> None:
    position.x, position.y, position.z = wrist[0].tolist()
    orientation.x, orientation.y, orientation.z, orientation.w = wrist[1].tolist()


def _broadcaster(node: LifecycleNode, complain: Complain) -> Any:
    """A tf2_ros.TransformBroadcaster; None, and a line that says why, without tf2_ros."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError as error:
        complain(
            "tf2_ros",
            f"publish_tf is set but tf2_ros cannot be imported ({error}): install the ROS package "
            "tf2_ros_py; left/wrist_pose and right/wrist_pose are published without it",
        )
        return None
    return TransformBroadcaster(node)
