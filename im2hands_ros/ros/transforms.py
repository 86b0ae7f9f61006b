"""The wrists as transforms, where tf2_ros is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from im2hands_ros.messages.wrist_poses import WristPose
from im2hands_ros.ros.base_node import ManagedNode


class Transforms:
    """Broadcasts `left_wrist` and `right_wrist` in the image's frame.

    Args:
        node: owns the publisher.
        broadcaster: a tf2_ros.TransformBroadcaster of that node.
    """

    def __init__(self, node: ManagedNode, broadcaster: Any) -> None:
        self._node, self._broadcaster = node, broadcaster

    @property
    def subscribed(self) -> bool:
        """Whether anybody has subscribed to transforms; tf2_ros owns the publisher's events."""
        return self._node.count_subscribers("/tf") > 0

    def publish(self, header: Header, wrists: Mapping[str, WristPose]) -> None:
        """Broadcast the wrists that are there."""
        for side, pose in wrists.items():
            message = TransformStamped(header=header, child_frame_id=f"{side}_wrist")
            to, turn = message.transform.translation, message.transform.rotation
            to.x, to.y, to.z = pose.position.tolist()
            turn.x, turn.y, turn.z, turn.w = pose.orientation.tolist()
            self._broadcaster.sendTransform(message)

    def destroy(self) -> None:
        """Give the publisher back."""
        publisher = getattr(self._broadcaster, "pub_tf", None)
        if publisher is not None:
            self._node.destroy_publisher(publisher)


def transforms_for(node: ManagedNode) -> Transforms | None:
    """The broadcaster; None, and a line that says why, without tf2_ros."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError as error:
        node.warn_throttled(
            "tf2_ros",
            f"publish_tf is set but tf2_ros cannot be imported ({error}): install the ROS package "
            "tf2_ros_py; left/wrist_pose and right/wrist_pose are published without it",
        )
        return None
    return Transforms(node, TransformBroadcaster(node))
