"""The node alone, for your own camera and hand tracker.

ros2 launch im2hands_ros im2hands.launch.py image:=/camera/image_raw \
    camera_info:=/camera/camera_info keypoints:=/tracker/hands device:=cuda
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node

from im2hands_ros.ros.launch_arguments import TRUE
from im2hands_ros.ros.launching import (
    SHARE,
    described,
    given,
    program,
    remapped,
    topic_arguments,
    with_room_for_images,
)

OPTIONS = {
    "namespace": ("", "namespace of the node and its relative topics", "namespace"),
    "params_file": (
        PathJoinSubstitution([SHARE, "config", "im2hands.yaml"]),
        "parameters (YAML)",
        "file",
    ),
    "respawn": (
        "false",
        "true: start the node again, after 2 s, whenever it ends by itself",
        bool,
    ),
    "loopback": (
        "false",
        "true: DDS on this machine only, with room for images (config/fastdds_loopback.xml)",
        bool,
    ),
}
PARAMETERS = {
    "device": (str, "where the networks run: auto, cpu, cuda, cuda:N"),
    "resolution": (int, "lattice cells per side of a hand's box, 32 to 256"),
    "weights": (str, "weights file (.safetensors)"),
    "image_transport": (str, "raw, or compressed: subscribe to <image>/compressed"),
    "keypoints_type": (
        str,
        "hand_keypoints, or subscribe to keypoint_poses (pose_array) or keypoint_named_poses "
        "(named_pose_array)",
    ),
    "keypoint_convention": (
        str,
        "where the tracker has its joints: auto, mano, mediapipe, openxr, leap, interhand",
    ),
    "calibration": (str, "file of im2hands calibrate"),
    "publish_tf": (bool, "true: broadcast left_wrist and right_wrist"),
    "auto_activate": (bool, "false: wait for a lifecycle manager"),
}
TOPICS = {
    "image": "images (sensor_msgs/Image)",
    "camera_info": "their intrinsics (sensor_msgs/CameraInfo)",
    "keypoints": "coarse 3D keypoints (im2hands_ros/HandKeypoints)",
    "keypoint_poses": "the same as poses (geometry_msgs/PoseArray)",
    "keypoint_named_poses": "the same as named poses (teleop_ros2_interfaces/NamedPoseArray)",
    "markers": "meshes, voxels and keypoints for RViz (visualization_msgs/MarkerArray)",
    "meshes": "watertight meshes (im2hands_ros/HandMeshArray)",
    "occupancy": "occupied voxels (sensor_msgs/PointCloud2)",
}


def generate_launch_description() -> LaunchDescription:
    """Describe the node; `--show-args` lists the arguments."""
    parameters = {
        name: ("", f"{text}; empty: as in params_file", kind)
        for name, (kind, text) in PARAMETERS.items()
    }
    return described(
        __file__,
        OPTIONS | parameters | topic_arguments(TOPICS),
        [
            *with_room_for_images(condition=IfCondition(LaunchConfiguration("loopback"))),
            # Waiting threads sleep: spinning ones take the cores that DDS and the camera need.
            SetEnvironmentVariable("OMP_WAIT_POLICY", "PASSIVE"),
            SetEnvironmentVariable("GOMP_SPINCOUNT", "0"),
            OpaqueFunction(function=_node),
        ],
    )


def _node(context: LaunchContext) -> list[Node]:
    """The node; only arguments that were given override the parameters file."""
    return [
        program(
            "im2hands",
            "im2hands",
            respawn=LaunchConfiguration("respawn").perform(context) in TRUE,
            respawn_delay=2.0,
            parameters=[LaunchConfiguration("params_file"), *given(context, PARAMETERS)],
            remappings=remapped(*TOPICS),
        )
    ]
