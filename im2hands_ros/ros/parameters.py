"""The node's parameters: one dataclass with defaults, ranges and descriptions.

`python -m im2hands_ros.ros.parameters` prints the table of the README, with `--yaml` the file
`config/im2hands.yaml`; a test holds all three equal. ROS is imported only to declare them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from im2hands_ros.ros.parameter_schema import (
    Described,
    declare_settings,
    described,
    image_transport,
    table_of,
    yaml_of,
)


@dataclass(frozen=True)
class Settings(Described):
    """Values of all parameters, checked.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    preset: str = described(
        "compact",
        "networks: compact, or paper (published ones, converted by im2hands import-checkpoint)",
        pattern="compact|paper",
        allowed="compact, paper",
    )
    weights: str = described(
        "", "weights file (.safetensors); empty: the packaged weights of the preset"
    )
    device: str = described(
        "auto",
        "where the networks run; auto takes the GPU if there is one",
        pattern=r"auto|cpu|cuda(:\d+)?",
        allowed="auto, cpu, cuda, cuda:N",
    )
    precision: str = described(
        "auto",
        "arithmetic of the networks",
        pattern="auto|fp32|bf16|fp16",
        allowed="auto, fp32, bf16, fp16",
    )
    resolution: int = described(
        64, "lattice cells per side of a hand's box", range=(32, 256), live=True
    )
    refine_keypoints: bool = described(
        True,
        "refine the keypoints by the image before the shape is made, where the weights hold that "
        "network",
        live=True,
    )
    refine_occupancy: bool = described(
        True,
        "refine the shape by the other hand and the image, where the weights hold that network",
        live=True,
    )
    occupancy_threshold: float = described(
        0.5, "occupancy probability of the surface", range=(0.05, 0.95), live=True
    )
    occupancy_voxel_size: float = described(
        0.005,
        "side of the published surface voxels",
        unit="m",
        range=(0.002, 0.05),
        live=True,
    )
    image_transport: str = image_transport()
    keypoints_type: str = described(
        "hand_keypoints",
        "hand_keypoints: HandKeypoints on keypoints; pose_array: geometry_msgs/PoseArray of 42 "
        "poses on keypoint_poses",
        pattern="hand_keypoints|pose_array",
        allowed="hand_keypoints, pose_array",
    )
    sync_slop: float = described(
        0.01,
        "largest stamp difference of an image and its keypoints; 0: equal stamps",
        unit="s",
        range=(0.0, 1.0),
        live=True,
    )
    max_age: float = described(
        0.0,
        "frames older than this by their stamp are dropped; 0: never, as for bags played without "
        "use_sim_time",
        unit="s",
        range=(0.0, 60.0),
        live=True,
    )
    smoothing: float = described(
        0.0,
        "cutoff of the One-Euro filter over the keypoints of resting hands, lower is smoother; "
        "0: off",
        unit="Hz",
        range=(0.0, 30.0),
        live=True,
    )
    publish_tf: bool = described(
        False, "broadcast the wrist poses as frames left_wrist and right_wrist; needs tf2_ros"
    )
    publish_collision_objects: bool = described(
        False, "publish the hands as obstacles for MoveIt on collision_object; needs moveit_msgs"
    )
    latency_budget_ms: float = described(
        0.0,
        "time a frame may take in the node; above it the resolution steps down, and back up when "
        "there is room; 0: off",
        unit="ms",
        range=(0.0, 10000.0),
        live=True,
    )
    auto_activate: bool = described(
        True, "configure and activate at start; false: wait for a lifecycle manager"
    )


def declare(node: Any) -> Settings:
    """Declare every parameter on an rclpy node; the values that overrides gave.

    Raises:
        ValueError: a value outside its range or choices.
        rclpy.exceptions.ParameterException: an override of the wrong type or range.
    """
    return declare_settings(node, Settings)


def markdown_table() -> str:
    """The README's table of parameters."""
    return table_of(Settings)


def yaml_file() -> str:
    """The text of `config/im2hands.yaml`: the defaults, for a node of any name."""
    return yaml_of(Settings)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Print the node's parameters as a Markdown table.")
    parser.add_argument("--yaml", action="store_true", help="print config/im2hands.yaml instead")
    print(yaml_file() if parser.parse_args().yaml else markdown_table(), end="")


if __name__ == "__main__":
    _main()
