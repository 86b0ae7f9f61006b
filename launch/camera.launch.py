"""A camera: its images, hand detector, node, and something to look at.

ros2 launch im2hands_ros camera.launch.py camera_info_url:=my_camera.yaml view:=browser
ros2 launch im2hands_ros camera.launch.py source:=video.mp4 loop:=true assumed_field_of_view:=70.0
ros2 launch im2hands_ros camera.launch.py camera:=false image:=/camera/color/image_raw \
    camera_info:=/camera/color/camera_info depth:=/camera/aligned_depth_to_color/image_raw
"""

from __future__ import annotations

import shutil

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("im2hands_ros")
OPTIONS = {
    "camera": ("true", "start camera_source; false: a driver of yours publishes the images"),
    "view": ("auto", "auto (RViz when it is installed), rviz, browser or none"),
    "rviz_config": (PathJoinSubstitution([SHARE, "config", "im2hands.rviz"]), "RViz's settings"),
}
CHOICES = {"camera": ["true", "false"], "view": ["auto", "rviz", "browser", "none"]}
TOPICS = {
    "image": "images (sensor_msgs/Image)",
    "camera_info": "their intrinsics (sensor_msgs/CameraInfo)",
    "depth": "depth images registered to them, if there are any (sensor_msgs/Image)",
    "keypoints": "what the detector finds (im2hands_ros/HandKeypoints)",
}
# Parameters that an argument overrides when it is given.
CAMERA = {
    "source": (str, "device number, device file or video file; empty: device 0"),
    "camera_info_url": (str, "calibration file (YAML of camera_calibration)"),
    "assumed_field_of_view": (float, "horizontal, degrees, for want of a calibration file"),
    "width": (int, "width to ask the device for, pixels"),
    "height": (int, "height to ask the device for, pixels"),
    "rate": (float, "pictures per second to ask the device for, or to play a file at"),
    "loop": (bool, "true: start a file over at its end"),
    "flip": (bool, "true: the source is mirrored, mirror it back"),
    "frame_id": (str, "optical frame of the images; empty: camera"),
}
DETECTOR = {
    "palm_length": (float, "of the user's hand, wrist to middle knuckle, metres"),
    "mirrored_image": (bool, "true: the images are mirrored like a selfie"),
    "use_depth": (bool, "false: pay no attention to depth images"),
    "model": (str, "hand landmarker bundle (.task)"),
}
# The node's arguments, handed on to im2hands.launch.py.
NODE = {
    "device": "where the networks run: auto, cpu, cuda, cuda:N",
    "resolution": "lattice cells per side of a hand's box, 32 to 256",
    "weights": "weights file (.safetensors); empty: the packaged ones",
}


def generate_launch_description() -> LaunchDescription:
    """Describe the camera's chain; `--show-args` lists the arguments."""
    profile = PathJoinSubstitution([SHARE, "config", "fastdds_loopback.xml"])
    handed_on = ("image", "camera_info", "keypoints", *NODE)
    return LaunchDescription(
        [
            *_arguments(),
            # An image is larger than Fast DDS's usual shared memory.
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", profile),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([SHARE, "launch", "im2hands.launch.py"])
                ),
                launch_arguments=[
                    ("loopback", "true"),
                    *((name, LaunchConfiguration(name)) for name in handed_on),
                ],
            ),
            OpaqueFunction(function=source),
            OpaqueFunction(function=detector),
            OpaqueFunction(function=viewer),
        ]
    )


def _arguments() -> list[DeclareLaunchArgument]:
    described = {
        **OPTIONS,
        **{name: ("", text) for name, (_, text) in (CAMERA | DETECTOR).items()},
        **{name: ("", text) for name, text in NODE.items()},
        **{topic: (topic, f"topic of {text}") for topic, text in TOPICS.items()},
    }
    return [
        DeclareLaunchArgument(
            name, default_value=default, description=text, choices=CHOICES.get(name)
        )
        for name, (default, text) in described.items()
    ]


def source(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The camera source, unless another driver is there."""
    if LaunchConfiguration("camera").perform(context) == "false":
        return []
    return [
        Node(
            package="im2hands_ros",
            executable="camera_source",
            name="camera_source",
            output="screen",
            parameters=_given(context, CAMERA),
            remappings=_remapped("image", "camera_info"),
        )
    ]


def detector(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The hand detector."""
    return [
        Node(
            package="im2hands_ros",
            executable="detector",
            name="im2hands_detector",
            output="screen",
            parameters=_given(context, DETECTOR),
            remappings=_remapped(*TOPICS),
        )
    ]


def viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz or the browser view as the argument `view` asks for it."""
    wanted = LaunchConfiguration("view").perform(context)
    if wanted == "none":
        return []
    if wanted == "browser":
        return [
            Node(
                package="im2hands_ros",
                executable="viewer",
                name="im2hands_viewer",
                output="screen",
                remappings=_remapped("image", "camera_info"),
            )
        ]
    if wanted == "auto" and shutil.which("rviz2") is None:
        return [
            LogInfo(msg="rviz2 is not installed: nothing to look at (view:=browser needs none)")
        ]
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz2",
            arguments=["-d", LaunchConfiguration("rviz_config")],
            remappings=_remapped("image"),
        )
    ]


def _given(context: LaunchContext, kinds: dict[str, tuple[type, str]]) -> list[dict]:
    """Parameters from the arguments that were given."""
    values = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, _) in kinds.items()
        if LaunchConfiguration(name).perform(context)
    }
    return [values] if values else []


def _remapped(*topics: str) -> list[tuple[str, LaunchConfiguration]]:
    return [(topic, LaunchConfiguration(topic)) for topic in topics]
