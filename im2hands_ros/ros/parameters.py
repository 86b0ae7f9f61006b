"""The node's parameters: one dataclass with defaults, ranges and descriptions.

`python -m im2hands_ros.ros.parameters` prints the table of `docs/node.md`, with `--yaml` the file
`config/im2hands.yaml`; a test holds all three equal. No ROS here.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2hands_ros.parameter_schema import image_transport, parameter, print_parameters
from im2hands_ros.tracking.settings import FrameSettings, sync_slop


@dataclass(frozen=True)
class Settings(FrameSettings):
    """Values of all parameters, checked.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    image_transport: str = image_transport()
    keypoints_type: str = parameter(
        "hand_keypoints",
        "hand_keypoints: HandKeypoints on keypoints; pose_array: geometry_msgs/PoseArray of 42, "
        "50 or 52 poses on keypoint_poses; named_pose_array: NamedPoseArray of "
        "teleop_ros2_interfaces on keypoint_named_poses",
        choices=("hand_keypoints", "pose_array", "named_pose_array"),
    )
    sync_slop: float = sync_slop()
    max_age: float = parameter(
        0.0,
        "frames older than this by their stamp are dropped; 0: never, as for bags played without "
        "use_sim_time",
        unit="s",
        range=(0.0, 60.0),
        live=True,
    )
    publish_tf: bool = parameter(
        False, "broadcast the wrist poses as frames left_wrist and right_wrist; needs tf2_ros"
    )
    publish_collision_objects: bool = parameter(
        False, "publish the hands as obstacles for MoveIt on collision_object; needs moveit_msgs"
    )
    latency_budget_ms: float = parameter(
        0.0,
        "time a frame may take in the node; above it the resolution steps down, and back up when "
        "there is room; 0: off",
        unit="ms",
        range=(0.0, 10000.0),
        live=True,
    )
    auto_activate: bool = parameter(
        True, "configure and activate at start; false: wait for a lifecycle manager"
    )


if __name__ == "__main__":
    print_parameters(Settings)
