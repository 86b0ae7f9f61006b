"""Demo: replay (camera and hand tracker), node, and RViz or a browser view.

ros2 launch im2hands_ros demo.launch.py
ros2 launch im2hands_ros demo.launch.py view:=browser port:=8080
ros2 launch im2hands_ros demo.launch.py view:=none rate:=5.0 device:=cpu
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import OpaqueFunction
from launch.substitutions import LaunchConfiguration

from im2hands_ros.ros.launching import (
    NODE,
    VIEW,
    declared,
    given,
    program,
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
    replayed = {name: rest for name, (_, *rest) in REPLAY.items()}
    return LaunchDescription(
        [
            *declared(VIEW | OPTIONS | replayed | NODE),
            *with_room_for_images(),
            the_node(NODE),
            OpaqueFunction(function=replay),
            OpaqueFunction(function=viewer),
        ]
    )


def replay(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Camera and hand tracker in one."""
    parameters = [{"wait_for_node": "im2hands"}, *given(context, REPLAY)]
    return [program("replay", "replay", parameters=parameters)]


def viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz or the browser view, by the arguments."""
    chosen = LaunchConfiguration("view").perform(context)
    older = LaunchConfiguration("rviz").perform(context)
    return view(OLDER.get(older, chosen) if chosen == "auto" else chosen)
