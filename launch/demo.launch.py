"""Demo: replay (camera and hand tracker), node, and RViz when it is there.

ros2 launch im2hands_ros demo.launch.py
ros2 launch im2hands_ros demo.launch.py rviz:=false rate:=5.0 device:=cpu
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
ARGUMENTS = (
    ("rviz", "auto", "show RViz: true, false, or auto (when rviz2 is installed)"),
    ("rate", "5.0", "frames per second that replay sends"),
    ("loop", "true", "play the sequence over and over"),
    ("sequence", "", "sequence to play (file); empty: the bundled demo"),
    ("rviz_config", PathJoinSubstitution([SHARE, "config", "im2hands.rviz"]), "RViz's settings"),
    # The node's arguments, handed on to im2hands.launch.py.
    ("device", "", "where the networks run: auto, cpu, cuda, cuda:N"),
    ("resolution", "", "lattice cells per side of a hand's box, 32 to 256"),
    ("weights", "", "weights file (.safetensors); empty: the packaged ones"),
)
HANDED_ON = ("device", "resolution", "weights")


def generate_launch_description() -> LaunchDescription:
    """Describe the demo; `--show-args` lists the arguments."""
    profile = PathJoinSubstitution([SHARE, "config", "fastdds_loopback.xml"])
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    name,
                    default_value=default,
                    description=text,
                    choices=["true", "false", "auto"] if name == "rviz" else None,
                )
                for name, default, text in ARGUMENTS
            ),
            # An image is larger than Fast DDS's usual shared memory, and replay is its writer.
            SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
            SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", profile),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([SHARE, "launch", "im2hands.launch.py"])
                ),
                launch_arguments=[
                    ("loopback", "true"),
                    *((name, LaunchConfiguration(name)) for name in HANDED_ON),
                ],
            ),
            Node(
                package="im2hands_ros",
                executable="replay",
                name="replay",
                output="screen",
                parameters=[
                    {
                        "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                        "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                        "sequence": ParameterValue(LaunchConfiguration("sequence"), value_type=str),
                        "wait_for_node": "im2hands",
                    }
                ],
            ),
            OpaqueFunction(function=viewer),
        ]
    )


def viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz as the argument `rviz` asks for it."""
    wanted = LaunchConfiguration("rviz").perform(context)
    if wanted == "false":
        return []
    if wanted == "auto" and shutil.which("rviz2") is None:
        return [LogInfo(msg="rviz2 is not installed: no viewer (rviz:=true insists on it)")]
    config = LaunchConfiguration("rviz_config")
    return [Node(package="rviz2", executable="rviz2", name="rviz2", arguments=["-d", config])]
