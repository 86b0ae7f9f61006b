"""What the launch files share: their arguments, the DDS profile, the node and the views of it.

Needs `launch_ros`; launch files cannot import one another.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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

from im2hands_ros.ros.launch_arguments import check_names, check_value

SHARE = FindPackageShare("im2hands_ros")
# Argument -> default, description, and what it may be: a list, or one of launch_arguments.KINDS.
VIEW = {
    "view": (
        "auto",
        "what shows it: rviz, browser, none, or auto (the first that is installed)",
        ("auto", "rviz", "browser", "none"),
    ),
    "port": ("8080", "first port that the browser view tries, on 127.0.0.1", int),
    "rviz_config": (
        PathJoinSubstitution([SHARE, "config", "im2hands.rviz"]),
        "RViz's settings",
        "file",
    ),
    "fixed_frame": ("", "RViz's fixed frame, where the images' frame_id is not camera"),
}
NODE = {
    "namespace": ("", "namespace of all nodes and their relative topics", "namespace"),
    "device": ("", "where the networks run: auto, cpu, cuda, cuda:N"),
    "resolution": ("", "lattice cells per side of a hand's box, 32 to 256", int),
    "weights": ("", "weights file (.safetensors); empty: the packaged ones"),
}
_RVIZ_TOPICS = ("image", "markers", "occupancy")


def described(
    file: str, arguments: Mapping[str, tuple], actions: Iterable[LaunchDescriptionEntity]
) -> LaunchDescription:
    """A launch file: its arguments, declared and checked, and what it does then.

    Args:
        file: its path.
        arguments: as in `VIEW`.
    """
    description = LaunchDescription([*declared(arguments)])

    def check(context: LaunchContext) -> None:
        # Where another launch file includes this one, the arguments are those of that.
        if Path(file).name in (Path(word).name for word in sys.argv):
            known = [argument.name for argument in description.get_launch_arguments()]
            check_names(context.argv, known, Path(file).name)
        for name, (_, _, *kinds) in arguments.items():
            if kinds:
                check_value(name, LaunchConfiguration(name).perform(context), kinds[0])

    for action in (OpaqueFunction(function=check), *actions):
        description.add_action(action)
    return description


def declared(arguments: Mapping[str, tuple]) -> list[DeclareLaunchArgument]:
    """The arguments of a launch file, described as in `VIEW`."""
    return [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=text,
            choices=kinds[0] if kinds and isinstance(kinds[0], tuple) else None,
        )
        for name, (default, text, *kinds) in arguments.items()
    ]


def topic_arguments(topics: Mapping[str, str]) -> dict[str, tuple[str, str, str]]:
    """Arguments that rename topics, from name -> what it carries."""
    return {topic: (topic, f"topic of {text}", "topic") for topic, text in topics.items()}


def given(context: LaunchContext, parameters: Mapping[str, tuple]) -> list[dict]:
    """Parameters from those arguments that were given; the others leave a node's own values.

    `parameters` is name -> type, and more that is not used here.
    """
    values = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, *_) in parameters.items()
        if LaunchConfiguration(name).perform(context)
    }
    return [values] if values else []


def program(executable: str, name: str, **options: Any) -> Node:
    """One of this package's programs, in the namespace of the argument `namespace`."""
    return Node(
        package="im2hands_ros",
        executable=executable,
        name=name,
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        **options,
    )


def remapped(*topics: str) -> list[tuple[str, LaunchConfiguration]]:
    """Remappings of topics to what the arguments of the same names say."""
    return [(topic, LaunchConfiguration(topic)) for topic in topics]


def with_room_for_images(**options: Any) -> list[SetEnvironmentVariable]:
    """Fast DDS's profile: an image is larger than its usual shared memory.

    Fast DDS 2 (Humble, Jazzy) reads the first variable, Fast DDS 3 (Kilted and later) the second.
    """
    profile = PathJoinSubstitution([SHARE, "config", "fastdds_loopback.xml"])
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    return [SetEnvironmentVariable(name, profile, **options) for name in names]


def the_node(arguments: Iterable[str]) -> IncludeLaunchDescription:
    """`im2hands.launch.py` on this machine alone, with these arguments handed on."""
    file = PathJoinSubstitution([SHARE, "launch", "im2hands.launch.py"])
    handed_on = [(name, LaunchConfiguration(name)) for name in arguments]
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(file), launch_arguments=[("loopback", "true"), *handed_on]
    )


def view(chosen: str, *topics: str, **parameters: str) -> list[LaunchDescriptionEntity]:
    """What shows the hands, by the arguments `VIEW`.

    Args:
        chosen: rviz, browser, none, or auto: the first of the two that is installed.
        topics: topics that arguments of their names rename.
        parameters: of the browser view.
    """
    chosen = resolved(chosen)
    if not chosen:
        return [LogInfo(msg="neither rviz2 nor viser is installed: nothing shows the hands")]
    views = {"rviz": _rviz, "browser": _browser}
    return [views[chosen](topics, parameters)] if chosen in views else []


def resolved(chosen: str) -> str:
    """The view itself in place of `auto`; empty where none is installed."""
    if chosen != "auto":
        return chosen
    if shutil.which("rviz2") is not None:
        return "rviz"
    return "browser" if find_spec("viser") is not None else ""


def _rviz(topics: Iterable[str], _: Mapping[str, str]) -> Node:
    # The settings' topics are absolute: they follow the namespace, and the images their argument.
    shown = dict(zip(_RVIZ_TOPICS, _RVIZ_TOPICS, strict=True)) | dict(remapped(*topics))
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        namespace=LaunchConfiguration("namespace"),
        # An empty frame leaves the settings' own.
        arguments=[
            *("-d", LaunchConfiguration("rviz_config")),
            *("-f", LaunchConfiguration("fixed_frame")),
        ],
        remappings=[(f"/{topic}", shown[topic]) for topic in _RVIZ_TOPICS],
    )


def _browser(topics: Iterable[str], parameters: Mapping[str, str]) -> Node:
    port = ParameterValue(LaunchConfiguration("port"), value_type=int)
    return program(
        "viewer",
        "im2hands_viewer",
        parameters=[{"port": port, **parameters}],
        remappings=remapped(*topics),
    )
