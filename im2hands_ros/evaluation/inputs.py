"""What a method is given of a sample: the image, and keypoints with errors on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.evaluation.depth_images import depth_image_of
from im2hands_ros.evaluation.noise_levels import NoiseLevel
from im2hands_ros.joint_frames import moved_joints
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.training.augmentation import TrackerErrors, simulate_tracker_errors

# Every scene gets all of a tracker's errors at once; keypoints stay in the true convention, so
# that their error can be measured, and no hand is taken away, so that each can be scored.
TRACKER_ERRORS = TrackerErrors(
    convention_share=0.0, clean_share=0.0, noise_share=0.0, missing_share=0.0
)
# Beside the sample's seed, so that these draws are none of the Gaussian ones.
_TRACKER_SEED = 10**9
_MILLIMETRES = 1e3
Keypoints = dict[str, NDArray[np.floating] | None]


@dataclass(frozen=True)
class EvaluationInput:
    """What a method is given of a sample, camera frame, metres; an absent side is None.

    keypoints: per side (21, 3), possibly wrong. points: per true hand (N, 3) to be labelled.
    depth: (H, W) metres, 0 where unknown; None: no depth camera.
    """

    image: NDArray[np.uint8]
    camera: Camera
    keypoints: Keypoints
    points: dict[str, NDArray[np.floating] | None]
    depth: NDArray[np.float32] | None = None


def input_of(
    sample: Sample,
    noise_mm: NoiseLevel,
    near: int,
    offsets: NDArray[np.float64] | None = None,
    depth_camera: str | None = None,
) -> EvaluationInput:
    """What a method is given of a sample; depends on the sample's seed and the errors alone.

    noise_mm: see `Configuration`. near: how many points, from the first, to leave out. offsets:
    (21, 3) that move the joints to where the networks have them, errors and all; None: none.
    depth_camera: of ``DEPTH_CAMERAS``; None: no depth image.
    """
    given = _as_tracked(sample) if noise_mm is None else _noisy(sample, noise_mm)
    given = own_joints(given, offsets)
    points = {side: None if p is None else p[near:] for side, p in sample.points.items()}
    depth = None if depth_camera is None else depth_image_of(sample, depth_camera)
    return EvaluationInput(sample.image, sample.camera, given, points, depth)


def own_joints(keypoints: Keypoints, offsets: NDArray[np.float64] | None) -> Keypoints:
    """Joints moved by offsets, as `joint_frames.moved_joints` takes them; None: as they are."""
    if offsets is None:
        return keypoints
    moved = {s: moved_joints(xyz, s, offsets) for s, xyz in present(keypoints).items()}
    return dict.fromkeys(keypoints) | moved


def _noisy(sample: Sample, noise_mm: float) -> Keypoints:
    random = np.random.default_rng((sample.seed, round(noise_mm * 1000)))
    keypoints: Keypoints = {}
    for side, joints in sample.keypoints.items():
        noise = random.standard_normal((21, 3)) * noise_mm / _MILLIMETRES
        keypoints[side] = None if joints is None else (joints + noise).astype(np.float32)
    return keypoints


def _as_tracked(sample: Sample) -> Keypoints:
    random = np.random.default_rng((sample.seed, _TRACKER_SEED))
    output = simulate_tracker_errors(present(sample.keypoints), TRACKER_ERRORS, random)
    return dict.fromkeys(SIDES) | output.coarse
