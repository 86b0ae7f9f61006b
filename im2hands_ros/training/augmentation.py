"""Errors that coarse keypoints come with: what training adds to the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.synthetic.convention import vary_convention

Keypoints = dict[str, np.ndarray]


@dataclass(frozen=True)
class KeypointErrors:
    """How often and how far training moves the keypoints that shapes are made from.

    ``batches.errors`` in a plan's YAML file, metres. The noise is smaller across the viewing
    direction: keypoints that were refined with the image are mostly wrong along it.
    """

    convention_share: float = 0.3
    noise_share: float = 0.3
    noise_sigma: float = 0.012
    offset_sigma: float = 0.004
    lateral: float = 0.25


@dataclass(frozen=True)
class TrackerErrors:
    """What trackers do to keypoints, and how often: the input of the keypoint refinement.

    ``tracker`` in a plan's YAML file, metres.
    """

    convention_share: float = 0.3
    clean_share: float = 0.2
    noise_share: float = 0.5
    noise_sigma: tuple[float, float] = (0.001, 0.02)
    offset_sigma: tuple[float, float] = (0.004, 0.015)
    scale: tuple[float, float] = (0.85, 1.15)
    flatness: float = 0.6
    apart_sigma: float = 0.02
    outlier_share: float = 0.02
    outlier_sigma: float = 0.03
    swap_share: float = 0.1
    missing_share: float = 0.1


class TrackerOutput(NamedTuple):
    """What a tracker makes of a scene; sides that it does not report are missing.

    Attributes:
        coarse: per reported side (21, 3) keypoints, metres.
        target: per true side (21, 3) the same joints, in the tracker's convention, without errors.
        swapped: the left hand was reported as the right one and the other way round.
    """

    coarse: Keypoints
    target: Keypoints
    swapped: bool


def perturb(keypoints: Keypoints, errors: KeypointErrors, rng: np.random.Generator) -> Keypoints:
    """Draw the keypoints that a scene's shapes are made from.

    Args:
        keypoints: per present side (21, 3) true keypoints, metres.
        errors: the distribution to draw from.
        rng: decides everything.

    Returns:
        Per side (21, 3) float32 keypoints.
    """
    coarse = dict(keypoints)
    if rng.random() < errors.convention_share:
        coarse = _other_convention(coarse, rng)
    if rng.random() < errors.noise_share:
        sigma = rng.uniform(0.001, errors.noise_sigma)
        offset = errors.offset_sigma * sigma / errors.noise_sigma
        lateral = rng.uniform(errors.lateral, 1.0)
        size = np.array([lateral, lateral, 1.0])
        coarse = {
            side: joints + size * (rng.normal(0, sigma, joints.shape) + rng.normal(0, offset, 3))
            for side, joints in coarse.items()
        }
    return _float32(coarse)


def exact_and_noisy(
    keypoints: Keypoints, sigma: float, rng: np.random.Generator
) -> tuple[Keypoints, Keypoints]:
    """The keypoints, and the same with Gaussian noise of this deviation (metres); float32."""
    exact = perturb(keypoints, KeypointErrors(convention_share=0, noise_share=0), rng)
    return exact, _float32({s: x + rng.normal(0, sigma, x.shape) for s, x in exact.items()})


def simulate_tracker_errors(
    keypoints: Keypoints, errors: TrackerErrors, rng: np.random.Generator
) -> TrackerOutput:
    """Draw what a tracker reports of a scene.

    Args:
        keypoints: per present side (21, 3) true keypoints, metres, camera frame.
        errors: the distribution to draw from.
        rng: decides everything.
    """
    target = dict(keypoints)
    if rng.random() < errors.convention_share:
        target = _other_convention(target, rng)
    if len(target) == 2 and rng.random() < errors.missing_share:
        target.pop(SIDES[rng.integers(2)])
    kind = rng.random() - errors.clean_share
    coarse, swapped = dict(target), False
    if kind >= 0:
        if kind >= errors.noise_share:
            coarse = _with_hand_errors(coarse, errors, rng)
            swapped = rng.random() < errors.swap_share
        coarse = _with_joint_noise(coarse, errors, rng)
    if swapped:
        coarse = {_other(side): joints for side, joints in coarse.items()}
    return TrackerOutput(_float32(coarse), _float32(target), swapped)


def _with_hand_errors(
    coarse: Keypoints, errors: TrackerErrors, rng: np.random.Generator
) -> Keypoints:
    """Wrong size, depth and place of whole hands, and single joints far off."""
    scale = rng.uniform(*errors.scale)
    lateral, along = errors.offset_sigma
    wrong = {}
    for side, joints in coarse.items():
        centre = joints.mean(0)
        depth = rng.uniform(errors.flatness, 1.0) if rng.random() < 0.5 else 1.0
        moved = centre + (joints - centre) * scale * np.array([1.0, 1.0, depth])
        moved = moved + rng.normal(0, [lateral, lateral, along])
        # Towards the camera or away from it, so that the hand stays where it is in the picture.
        apart = rng.normal(0, errors.apart_sigma)
        moved = moved * (1 + apart / max(float(centre[2]), 0.1))
        far = rng.random(JOINT_COUNT) < errors.outlier_share
        wrong[side] = moved + far[:, None] * rng.normal(0, errors.outlier_sigma, moved.shape)
    return wrong


def _with_joint_noise(
    coarse: Keypoints, errors: TrackerErrors, rng: np.random.Generator
) -> Keypoints:
    """Joint noise of one strength for the scene; strengths are spread evenly by ratio."""
    low, high = errors.noise_sigma
    sigma = low * (high / low) ** rng.random()
    return {side: joints + rng.normal(0, sigma, joints.shape) for side, joints in coarse.items()}


def _other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


def _float32(keypoints: Keypoints) -> Keypoints:
    return {side: np.asarray(joints, np.float32) for side, joints in keypoints.items()}


def _other_convention(keypoints: Keypoints, rng: np.random.Generator) -> Keypoints:
    """One convention, of the tracker, for both hands."""
    seed = int(rng.integers(2**62))
    return {
        side: vary_convention(
            torch.from_numpy(joints)[None], torch.Generator().manual_seed(seed), side
        )[0].numpy()
        for side, joints in keypoints.items()
    }
