"""Demo: replay (camera and hand tracker), node, and RViz or a browser view.

ros2 launch im2hands_ros demo.launch.py
ros2 launch im2hands_ros demo.launch.py view:=browser port:=8080
ros2 launch im2hands_ros demo.launch.py view:=none rate:=5.0 device:=cpu
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from im2hands_ros.ros.launching import (
    NODE,
    VIEW,
    described,
    given,
    program,
    resolved,
    the_node,
    view,
    with_room_for_images,
)

OPTIONS = {
    "rviz": (
        "auto",
        "older spelling: true is view:=rviz, false is view:=none",
        ("true", "false", "auto"),
    )
}
REPLAY = {
    "rate": (float, "5.0", "frames per second that it sends"),
    "loop": (bool, "true", "play the sequence over and over"),
    "sequence": (str, "", "sequence to play (file); empty: the bundled demo"),
}
OLDER = {"true": "rviz", "false": "none"}


def generate_launch_description() -> LaunchDescription:
    """Describe the demo; `--show-args` lists the arguments."""
    replayed = {name: (*rest, kind) for name, (kind, *rest) in REPLAY.items()}
    return described(
        __file__,
        VIEW | OPTIONS | replayed | NODE,
        [
            *with_room_for_images(),
            the_node(NODE),
            OpaqueFunction(function=replay),
            OpaqueFunction(function=viewer),
        ],
    )


def replay(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Camera and hand tracker in one."""
    parameters = [{"wait_for_node": "im2hands"}, *given(context, REPLAY)]
    return [program("replay", "replay", parameters=parameters)]


def viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz or the browser view, by the arguments."""
    chosen = LaunchConfiguration("view").perform(context)
    older = LaunchConfiguration("rviz").perform(context)
    chosen = resolved(OLDER.get(older, chosen) if chosen == "auto" else chosen)
    return [*view(chosen), *([camera_in_a_map()] if chosen == "rviz" else [])]


def camera_in_a_map() -> Node:
    """A transform that never changes: without any, RViz warns that it knows no frame."""
    pose = ("--z", "1.0", "--roll", "-1.5708", "--yaw", "-1.5708")  # z up to z forward, 1 m high
    frames = ("--frame-id", "map", "--child-frame-id", "camera")
    return Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name="camera_in_a_map",
        namespace=LaunchConfiguration("namespace"),
        arguments=[*pose, *frames],
    )
