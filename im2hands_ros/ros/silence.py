"""Why nothing comes on a topic although somebody may publish there."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

_COMPRESSED = "/compressed"
_MOST_NAMED = 3
_CURES = {
    "geometry_msgs/msg/PoseArray": "set keypoints_type to pose_array and remap keypoint_poses to "
    "it",
    "teleop_ros2_interfaces/msg/NamedPoseArray": "set keypoints_type to named_pose_array and remap "
    "keypoint_named_poses to it",
    "im2hands_ros/msg/HandKeypoints": "set keypoints_type to hand_keypoints and remap keypoints to "
    "it",
    "sensor_msgs/msg/CompressedImage": "set image_transport to compressed and remap image to the "
    "name without /compressed",
    "sensor_msgs/msg/Image": "set image_transport to raw and remap image to it",
}


def why_silent(node: Node, topic: str) -> str:
    """The cause as far as the graph shows it, with the remedy, in a clause; empty: none.

    Args:
        node: subscribes to the topic.
        topic: full name, after remapping.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    wanted = {
        each.topic_type
        for each in node.get_subscriptions_info_by_topic(topic)
        if _is_of(node, each)
    }
    if not publishers:
        return _other_transport(node, topic) or _other_topic(node, wanted)
    others = [each for each in publishers if each.topic_type not in wanted]
    if wanted and len(others) == len(publishers):
        kind = others[0].topic_type
        cure = _CURES.get(kind, "remap this node's input, or publish that type")
        return (
            f"{_named(others)} publishes {kind} there but this node subscribes to "
            f"{' and '.join(sorted(wanted))}: {cure}"
        )
    latched = [
        each
        for each in publishers
        if each.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    ]
    if latched:
        return (
            f"{_named(latched)} publishes transient_local and may have sent before this node "
            f"subscribed: give this node the parameter qos_overrides.{topic}.subscription."
            "durability with the value transient_local"
        )
    return (
        f"{_named(publishers)} is there but no message of it arrives: does it send? A large one "
        "may not fit into shared memory"
    )


def _other_transport(node: Node, topic: str) -> str:
    """Images may be published raw where compressed ones are subscribed to, and the reverse."""
    is_compressed = topic.endswith(_COMPRESSED)
    other = topic.removesuffix(_COMPRESSED) if is_compressed else topic + _COMPRESSED
    publishers = node.get_publishers_info_by_topic(other)
    if not publishers:
        return ""
    transport = "raw" if is_compressed else "compressed"
    return f"{_named(publishers)} publishes {other} alone: set image_transport to {transport}"


def _other_topic(node: Node, wanted: set[str]) -> str:
    """What others publish of the type under other names."""
    names = [
        name
        for name, types in node.get_topic_names_and_types()
        if wanted & set(types)
        and any(not _is_of(node, each) for each in node.get_publishers_info_by_topic(name))
    ]
    if not names:
        return ""
    names.sort(key=lambda name: (not name.startswith(node.get_namespace()), name))  # own robot's
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (
        f"nobody publishes there, but {' and '.join(sorted(wanted))} on "
        f"{', '.join(names[:_MOST_NAMED])}{more}: remap this node's input"
    )


def _is_of(node: Node, endpoint: TopicEndpointInfo) -> bool:
    own = (node.get_namespace(), node.get_name())
    return (endpoint.node_namespace, endpoint.node_name) == own


def _named(publishers: Sequence[TopicEndpointInfo]) -> str:
    first = publishers[0]
    return f"{first.node_namespace.rstrip('/')}/{first.node_name}"
