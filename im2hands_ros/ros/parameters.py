"""The node's parameters: one dataclass with defaults, ranges and descriptions.

`python -m im2hands_ros.ros.parameters` prints the table of the README, with `--yaml` the file
`config/im2hands.yaml`; a test holds all three equal. ROS is imported only to declare them.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


def _described(
    default: Any,
    description: str,
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,
    pattern: str | None = None,
    allowed: str = "",
    live: bool = False,
) -> Any:
    """A dataclass field with what a user must know; `live` means it may change while running."""
    text = f"{description} ({unit})" if unit else description
    rules = {"description": text, "range": range, "pattern": pattern, "allowed": allowed}
    return field(default=default, metadata=rules | {"live": live})


@dataclass(frozen=True)
class Settings:
    """Values of all parameters, checked.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    preset: str = _described(
        "compact",
        "networks: compact, or paper (published ones, converted by im2hands import-checkpoint)",
        pattern="compact|paper",
        allowed="compact, paper",
    )
    weights: str = _described(
        "", "weights file (.safetensors); empty: the packaged weights of the preset"
    )
    device: str = _described(
        "auto",
        "where the networks run; auto takes the GPU if there is one",
        pattern=r"auto|cpu|cuda(:\d+)?",
        allowed="auto, cpu, cuda, cuda:N",
    )
    precision: str = _described(
        "auto",
        "arithmetic of the networks",
        pattern="auto|fp32|bf16|fp16",
        allowed="auto, fp32, bf16, fp16",
    )
    resolution: int = _described(
        64, "lattice cells per side of a hand's box", range=(32, 256), live=True
    )
    refine_keypoints: bool = _described(
        True,
        "refine the keypoints by the image before the shape is made, where the weights hold that "
        "network",
        live=True,
    )
    refine_occupancy: bool = _described(
        True,
        "refine the shape by the other hand and the image, where the weights hold that network",
        live=True,
    )
    occupancy_threshold: float = _described(
        0.5, "occupancy probability of the surface", range=(0.05, 0.95), live=True
    )
    occupancy_voxel_size: float = _described(
        0.005,
        "side of the published surface voxels",
        unit="m",
        range=(0.002, 0.05),
        live=True,
    )
    image_transport: str = _described(
        "raw",
        "raw: sensor_msgs/Image on image; compressed: sensor_msgs/CompressedImage on "
        "image/compressed",
        pattern="raw|compressed",
        allowed="raw, compressed",
    )
    keypoints_type: str = _described(
        "hand_keypoints",
        "hand_keypoints: HandKeypoints on keypoints; pose_array: geometry_msgs/PoseArray of 42 "
        "poses on keypoint_poses",
        pattern="hand_keypoints|pose_array",
        allowed="hand_keypoints, pose_array",
    )
    sync_slop: float = _described(
        0.01,
        "largest stamp difference of an image and its keypoints; 0: equal stamps",
        unit="s",
        range=(0.0, 1.0),
        live=True,
    )
    max_age: float = _described(
        0.0,
        "frames older than this by their stamp are dropped; 0: never, as for bags played without "
        "use_sim_time",
        unit="s",
        range=(0.0, 60.0),
        live=True,
    )
    smoothing: float = _described(
        0.0,
        "cutoff of the One-Euro filter over the keypoints of resting hands, lower is smoother; "
        "0: off",
        unit="Hz",
        range=(0.0, 30.0),
        live=True,
    )
    publish_tf: bool = _described(
        False, "broadcast the wrist poses as frames left_wrist and right_wrist; needs tf2_ros"
    )
    publish_collision_objects: bool = _described(
        False, "publish the hands as obstacles for MoveIt on collision_object; needs moveit_msgs"
    )
    latency_budget_ms: float = _described(
        0.0,
        "time a frame may take in the node; above it the resolution steps down, and back up when "
        "there is room; 0: off",
        unit="ms",
        range=(0.0, 10000.0),
        live=True,
    )
    auto_activate: bool = _described(
        True, "configure and activate at start; false: wait for a lifecycle manager"
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            problem = _problem(each, getattr(self, each.name))
            if problem:
                raise ValueError(problem)

    def changed(self, values: dict[str, Any]) -> Settings:
        """A copy with some values replaced; raises ValueError as the constructor does."""
        return replace(self, **values)


def _problem(each: Any, value: Any) -> str:
    """What is wrong with a value, in one line; empty when it is fine."""
    bounds, pattern = each.metadata["range"], each.metadata["pattern"]
    if bounds and not bounds[0] <= value <= bounds[1]:
        return f"parameter {each.name} is {value}: give a value from {bounds[0]} to {bounds[1]}"
    if pattern and not re.fullmatch(pattern, value):
        return f"parameter {each.name} is '{value}': give {each.metadata['allowed']}"
    return ""


def declare(node: Any) -> Settings:
    """Declare every parameter on an rclpy node; the values that overrides gave.

    Raises:
        ValueError: a value outside its range or choices.
        rclpy.exceptions.ParameterException: an override of the wrong type or range.
    """
    values = {
        each.name: node.declare_parameter(each.name, each.default, _descriptor(each)).value
        for each in fields(Settings)
    }
    return Settings(**values)


def _descriptor(each: Any) -> Any:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    rules = each.metadata
    descriptor = ParameterDescriptor(
        description=rules["description"],
        additional_constraints=rules["allowed"],
        read_only=not rules["live"],
    )
    if rules["range"] and isinstance(each.default, int):
        low, high = rules["range"]
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    elif rules["range"]:
        low, high = rules["range"]
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _allowed(each: Any) -> str:
    bounds = each.metadata["range"]
    return f"{bounds[0]} … {bounds[1]}" if bounds else each.metadata["allowed"]


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def markdown_table() -> str:
    """The README's table of parameters."""
    lines = ["| parameter | default | allowed | while running | meaning |", "|---|---|---|---|---|"]
    for each in fields(Settings):
        live = "may change" if each.metadata["live"] else "read-only"
        lines.append(
            f"| `{each.name}` | `{_literal(each.default)}` | {_allowed(each)} | {live} "
            f"| {each.metadata['description']} |"
        )
    return "\n".join(lines) + "\n"


def yaml_file() -> str:
    """The text of `config/im2hands.yaml`: the defaults, for a node of any name."""
    lines = ["/**:", "  ros__parameters:"]
    for name, value in asdict(Settings()).items():
        lines.append(f"    {name}: {_literal(value)}")
    return "\n".join(lines) + "\n"


def _main() -> None:
    parser = argparse.ArgumentParser(description="Print the node's parameters as a Markdown table.")
    parser.add_argument("--yaml", action="store_true", help="print config/im2hands.yaml instead")
    print(yaml_file() if parser.parse_args().yaml else markdown_table(), end="")


if __name__ == "__main__":
    _main()
