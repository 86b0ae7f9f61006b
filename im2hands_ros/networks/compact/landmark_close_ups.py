"""Landmarks of both hands, moved to where close-ups of the picture show them.

The landmark network sees a hand in one crop, in which a finger is a few pixels wide. The refinement
by close-ups that the keypoints in metres go through, fitted to that network's errors, sees each
landmark once more. It reads metres: the hands are held before a camera that is made for them, so
that neither the picture's camera nor their size has an effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.anatomy import mean_bone_length
from im2hands_ros.camera import Camera
from im2hands_ros.kernels import library
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import region
from im2hands_ros.networks.compact.closer_joints import look_closer
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.native_close_ups import NativeCloseUps
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

FloatArray = NDArray[np.float64]

WEIGHTS = Path(__file__).parents[2] / "data" / "weights" / "landmark_close_ups.safetensors"
_DISTANCE = 0.6  # metres from the camera to the hands
_BONE = 0.0375  # metres: mean length of a hand's bones
# Of the logarithm of the ratio of both hands' sizes: what it says of their distances is half wrong.
_KEPT = 0.3
# Metres that a hand's joints are expected to be off on the average, from which on it stays: of
# such ones as many come to lie farther from the truth as nearer (split `val`: 8 of 15 nearer).
_UNSURE = 0.007


class HeldHands(NamedTuple):
    """Hands before a camera that is made for them.

    Attributes:
        camera: sees them where the picture shows them. given: (1, 2, ...) as of `CoarseHands`.
        units: per side metres of a pixel.
    """

    camera: Camera
    given: CoarseHands
    units: dict[str, float]


class LandmarkCloseUps:
    """Use it from one thread.

    Args:
        network: on the host, where pictures are; no longer to be trained.
    """

    def __init__(self, network: CloseUpRefinement) -> None:
        self.network: CloseUpRefinement | NativeCloseUps = network.eval().requires_grad_(False)
        kernels = library.chosen()
        if kernels:
            self.network = NativeCloseUps(kernels, network)

    @classmethod
    def load(cls, weights: Path | None = None) -> LandmarkCloseUps:
        """The packaged network, or that of a weights file.

        Raises:
            FileNotFoundError, ValueError: as `checkpoints.load_into`.
        """
        network = CloseUpRefinement(COMPACT.closeups)
        checkpoints.load_into(network, weights or WEIGHTS)
        return cls(network)

    @torch.inference_mode()
    def __call__(
        self, image: NDArray[np.uint8], hands: Mapping[str, FloatArray]
    ) -> dict[str, FloatArray]:
        """The same hands, nearer to what the picture shows; as they were where it shows little.

        Args:
            image: (H, W, 3) uint8 RGB.
            hands: per side (21, 3) landmarks in MANO order, pixels: x and y in the picture, and
                how much farther away than others each is.
        """
        if not hands:
            return {}
        camera, given, units = held(hands, image.shape[1], image.shape[0])
        found = region(image, camera, given.joints, given.present)
        if found is None:
            return dict(hands)
        joints, spread = look_closer(self.network, *found, given, given.joints)
        seen, sure = joints[0].double().numpy(), (spread[0].mean(1) < _UNSURE).tolist()
        moved = {
            side: _in_picture(seen[slot], camera, units[side], hands[side])
            for slot, side in enumerate(SIDES)
            if side in hands and sure[slot]
        }
        return {**hands, **moved}


def held(hands: Mapping[str, FloatArray], width: int, height: int) -> HeldHands:
    """Hands of landmarks as of `LandmarkCloseUps`; of a picture of this size, pixels."""
    bones = {side: max(mean_bone_length(hand), 1.0) for side, hand in hands.items()}
    units = _settled({side: _BONE / length for side, length in bones.items()})
    unit = float(np.mean(list(units.values())))
    focal, middle = _DISTANCE / unit, np.mean([hand[:, :2].mean(0) for hand in hands.values()], 0)
    joints = torch.zeros(1, len(SIDES), JOINT_COUNT, 3)
    present = torch.zeros(1, len(SIDES), dtype=torch.bool)
    for side, hand in hands.items():
        farther = (hand[:, 2] - hand[:, 2].mean()) * units[side]
        depth = _DISTANCE * units[side] / unit + farther
        across = (hand[:, :2] - middle) / focal * depth[:, None]
        joints[0, SIDES.index(side)] = torch.from_numpy(np.column_stack([across, depth])).float()
        present[0, SIDES.index(side)] = True
    camera = Camera(width, height, focal, focal, float(middle[0]), float(middle[1]))
    intrinsics = torch.from_numpy(camera.K)[None].float()
    return HeldHands(camera, CoarseHands(joints, present, intrinsics), units)


def _settled(units: dict[str, float]) -> dict[str, float]:
    middle = float(np.exp(np.mean(np.log(list(units.values())))))
    return {side: middle * (unit / middle) ** _KEPT for side, unit in units.items()}


def _in_picture(
    joints: FloatArray, camera: Camera, unit: float, landmarks: FloatArray
) -> FloatArray:
    """(21, 3) landmarks of (21, 3) joints that were those before."""
    farther = (joints[:, 2] - joints[:, 2].mean()) / unit + landmarks[:, 2].mean()
    return np.column_stack([camera.project(joints), farther])
