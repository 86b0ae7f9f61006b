"""Errors that coarse keypoints come with: what training adds to the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from im2hands_ros.synthetic.hand import vary_convention


@dataclass(frozen=True)
class KeypointErrors:
    """How often and how far training moves the keypoints of a scene.

    Attributes:
        convention_share: share of scenes whose joints follow another tracker's convention.
        noise_share: share of scenes with joint noise and a common offset per hand.
        noise_sigma: largest standard deviation of the joint noise per coordinate, metres.
        offset_sigma: standard deviation of the common offset per coordinate, metres.
    """

    convention_share: float = 0.3
    noise_share: float = 0.3
    noise_sigma: float = 0.012
    offset_sigma: float = 0.004


def disturb(
    keypoints: dict[str, np.ndarray], errors: KeypointErrors, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw coarse keypoints of one scene.

    Args:
        keypoints: per present side (21, 3) true keypoints, metres.
        errors: the distribution to draw from.
        rng: decides everything.

    Returns:
        Per side (21, 3) float32 coarse keypoints.
    """
    coarse = dict(keypoints)
    if rng.random() < errors.convention_share:
        coarse = _other_convention(coarse, rng)
    if rng.random() < errors.noise_share:
        sigma = rng.uniform(0.001, errors.noise_sigma)
        offset = errors.offset_sigma * sigma / errors.noise_sigma
        coarse = {
            side: joints + rng.normal(0, sigma, joints.shape) + rng.normal(0, offset, 3)
            for side, joints in coarse.items()
        }
    return {side: np.asarray(joints, np.float32) for side, joints in coarse.items()}


def _other_convention(
    keypoints: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return {
        side: vary_convention(torch.from_numpy(joints)[None], generator, side)[0].numpy()
        for side, joints in keypoints.items()
    }
