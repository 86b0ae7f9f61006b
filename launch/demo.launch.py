"""Demo: replay (camera and hand tracker), node, and RViz or a browser view.

ros2 launch im2hands_ros demo.launch.py
ros2 launch im2hands_ros demo.launch.py view:=browser port:=8080
ros2 launch im2hands_ros demo.launch.py view:=none rate:=5.0 device:=cpu
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec

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
    ("view", "auto", "what shows it: rviz, browser, none, or auto (the first that is installed)"),
    ("port", "8080", "first port that the browser view tries, on 127.0.0.1"),
    ("rviz", "auto", "older spelling: true is view:=rviz, false is view:=none"),
    ("rate", "5.0", "frames per second that replay sends"),
    ("loop", "true", "play the sequence over and over"),
    ("sequence", "", "sequence to play (file); empty: the bundled demo"),
    ("rviz_config", PathJoinSubstitution([SHARE, "config", "im2hands.rviz"]), "RViz's settings"),
    # The node's arguments, handed on to im2hands.launch.py.
    ("device", "", "where the networks run: auto, cpu, cuda, cuda:N"),
    ("resolution", "", "lattice cells per side of a hand's box, 32 to 256"),
    ("weights", "", "weights file (.safetensors); empty: the packaged ones"),
)
CHOICES = {"view": ["auto", "rviz", "browser", "none"], "rviz": ["true", "false", "auto"]}
OLDER = {"true": "rviz", "false": "none"}
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
                    choices=CHOICES.get(name),
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
    """RViz or the browser view, as the arguments ask for it."""
    wanted = LaunchConfiguration("view").perform(context)
    if wanted == "auto":
        older = LaunchConfiguration("rviz").perform(context)
        wanted = OLDER.get(older) or _installed()
    if not wanted:
        return [LogInfo(msg="neither rviz2 nor viser is installed: nothing to look at")]
    return [VIEWS[wanted]()] if wanted in VIEWS else []


def _installed() -> str:
    if shutil.which("rviz2") is not None:
        return "rviz"
    return "browser" if find_spec("viser") is not None else ""


def _rviz() -> Node:
    config = LaunchConfiguration("rviz_config")
    return Node(package="rviz2", executable="rviz2", name="rviz2", arguments=["-d", config])


def _browser() -> Node:
    return Node(
        package="im2hands_ros",
        executable="viewer",
        name="im2hands_viewer",
        output="screen",
        parameters=[{"port": ParameterValue(LaunchConfiguration("port"), value_type=int)}],
    )


VIEWS = {"rviz": _rviz, "browser": _browser}
