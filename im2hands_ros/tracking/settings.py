"""What a stream is reconstructed with: the parameters that node, bags and videos share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from im2hands_ros.hand_calibration import HandCalibration
from im2hands_ros.keypoint_convention import AUTO, CONVENTIONS
from im2hands_ros.parameter_schema import ParameterSchema, parameter

if TYPE_CHECKING:
    from im2hands_ros.pipeline import Im2Hands


@dataclass(frozen=True)
class FrameSettings(ParameterSchema):
    """Values of the frame engine's parameters, checked.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    preset: str = parameter(
        "compact",
        "networks: compact, or paper (published ones, converted by im2hands import-checkpoint)",
        choices=("compact", "paper"),
    )
    weights: str = parameter(
        "", "weights file (.safetensors); empty: the packaged weights of the preset"
    )
    device: str = parameter(
        "auto",
        "where the networks run; auto takes the GPU if there is one",
        choices=("auto", "cpu", "cuda", "cuda:N"),
        pattern=r"auto|cpu|cuda(:\d+)?",
    )
    precision: str = parameter(
        "auto",
        "arithmetic of the networks",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    resolution: int = parameter(
        64, "lattice cells per side of a hand's box", range=(32, 256), live=True
    )
    refine_keypoints: bool = parameter(
        True,
        "refine the keypoints by the image before the shape is made, where the weights hold that "
        "network",
        live=True,
    )
    refine_occupancy: bool = parameter(
        True,
        "refine the shape by the other hand and the image, where the weights hold that network",
        live=True,
    )
    occupancy_threshold: float = parameter(
        0.5, "occupancy probability of the surface", range=(0.05, 0.95), live=True
    )
    occupancy_voxel_size: float = parameter(
        0.005,
        "side of the published surface voxels",
        unit="m",
        range=(0.002, 0.05),
        live=True,
    )
    marker_shading: str = parameter(
        "smooth",
        "how the meshes in markers are coloured; smooth: by each vertex's normal, flat: the viewer "
        "lights every triangle",
        choices=("smooth", "flat"),
        live=True,
    )
    tracking: bool = parameter(
        True,
        "follow the hands from frame to frame: sides, place, bend and bone lengths are filtered "
        "over time; false: every frame for itself",
        live=True,
    )
    max_gap: float = parameter(
        0.3,
        "how long a hand that is not given is carried on with tracking, its confidence falling to "
        "0; 0: never",
        unit="s",
        range=(0.0, 2.0),
        live=True,
    )
    use_depth: bool = parameter(
        True,
        "move each hand to where a depth image, registered to the image, shows its skin; the node "
        "subscribes to depth (16UC1 or 32FC1) and uses depth images when they come",
    )
    keypoint_convention: str = parameter(
        AUTO,
        "where the tracker has the joints of a hand; auto: by the order of its joints",
        choices=(AUTO, *CONVENTIONS),
        live=True,
    )
    calibration: str = parameter(
        "",
        "file of im2hands calibrate: this tracker's joints and this person's hands; empty: none",
    )
    smoothing: float = parameter(
        0.0,
        "cutoff of the One-Euro filter over the keypoints of resting hands, lower is smoother, "
        "on top of tracking; 0: off",
        unit="Hz",
        range=(0.0, 30.0),
        live=True,
    )

    def read_calibration(self) -> HandCalibration | None:
        """What the setting names; raises as `HandCalibration.read`."""
        return HandCalibration.read(Path(self.calibration)) if self.calibration else None

    @property
    def smooth_markers(self) -> bool:
        """Whether markers are shaded by vertex normals."""
        return self.marker_shading == "smooth"


def sync_slop() -> float:
    """The field of this name wherever images and keypoints are matched."""
    return parameter(
        0.01,
        "largest stamp difference of an image and its keypoints; 0: equal stamps",
        unit="s",
        range=(0.0, 1.0),
        live=True,
    )


@dataclass(frozen=True)
class ReplaySettings(FrameSettings):
    """The node's parameters that matter to a bag."""

    sync_slop: float = sync_slop()


def load_model(settings: FrameSettings) -> Im2Hands:
    """The packaged networks, or the weights that the settings name.

    Half of the cores are left to DDS, the camera and the robot, unless OMP_NUM_THREADS says else.
    With sleeping OpenMP threads (OMP_WAIT_POLICY=PASSIVE, which the launch files set) a second
    thread on the second hyper-thread of one core made frames slower: 191 ms against 159 ms.

    Raises:
        FileNotFoundError: no such weights file or calibration.
        ValueError: a device that is not there, or weights or a calibration that do not fit.
    """
    import torch

    from im2hands_ros.pipeline import Im2Hands

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // 2))
    return Im2Hands.load(
        weights=settings.weights or None,
        preset=settings.preset,
        device=settings.device,
        precision=settings.precision,
        calibration=settings.read_calibration(),
    )
