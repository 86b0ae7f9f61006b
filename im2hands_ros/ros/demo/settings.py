"""The parameters of the demo's replay.

`python -m im2hands_ros.ros.demo.settings` prints their table.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2hands_ros.parameter_schema import ParameterSchema, parameter, print_parameters


@dataclass(frozen=True)
class DemoReplaySettings(ParameterSchema):
    """Values of all parameters, checked; raises ValueError for one that cannot be used."""

    sequence: str = parameter("", "sequence to play (file); empty: the bundled demo")
    rate: float = parameter(10.0, "frames per second", range=(0.01, 240.0))
    loop: bool = parameter(False, "start over after the last frame instead of ending")
    frame_id: str = parameter("camera", "frame of the images (optical: x right, y down, z forward)")
    encoding: str = parameter("rgb8", "image encoding: rgb8 or bgr8", choices=("rgb8", "bgr8"))
    wait_for_subscribers: int = parameter(
        1, "subscribers that each topic needs before the first frame", range=(0, 99)
    )
    wait_for_node: str = parameter(
        "", "lifecycle node to be active before the first frame; empty: none"
    )
    wait_timeout: float = parameter(
        0.0, "seconds to wait before giving up; 0: wait for ever", range=(0.0, 3600.0)
    )
    announce: bool = parameter(False, "print a JSON line per published frame on standard output")


if __name__ == "__main__":
    print_parameters(DemoReplaySettings)
