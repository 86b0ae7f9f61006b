"""How far the landmarks of a scene's hands are off, and landmarks of another scene that are so."""

from __future__ import annotations

import numpy as np
import torch

from im2hands_ros.networks.compact.close_ups import frames_of
from im2hands_ros.networks.compact.landmark_close_ups import held
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Sample, present

SCALED = 0.2  # of the logarithm of errors of other scenes
# Per side (21, 3) how far landmarks are off: in the axes of their close-ups and in depth, metres.
Errors = dict[str, np.ndarray]


def landmarks_of(sample: Sample, true: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(21, 3) true landmarks, as of `LandmarkCloseUps`."""
    depth = {side: xyz[:, 2] for side, xyz in present(sample.keypoints).items()}
    return {
        side: np.column_stack([pixels, (depth[side] / depth[side].mean() - 1) * sample.camera.fx])
        for side, pixels in true.items()
    }


def errors_of(
    hands: dict[str, np.ndarray], true: dict[str, np.ndarray], size: tuple[int, int]
) -> Errors:
    """How far landmarks are off, in the axes of the true hands' close-ups."""
    axes, units = axes_of(true, size)
    return {
        side: units[side] * np.einsum("jc,jkc->jk", hand - true[side], axes[side])
        for side, hand in hands.items()
    }


def erring(
    true: dict[str, np.ndarray], errors: Errors, rng: np.random.Generator, size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """True landmarks with errors of other hands, of the other sign and somewhat larger or not."""
    axes, units = axes_of(true, size)
    scale = rng.choice((-1.0, 1.0)) * np.exp(rng.normal(0, SCALED))
    hands = {}
    for side, hand in true.items():
        error = scale / units[side] * errors.get(side, next(iter(errors.values())))
        hands[side] = hand + np.einsum("jk,jkc->jc", error, axes[side])
    return hands


def axes_of(
    hands: dict[str, np.ndarray], size: tuple[int, int]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """(21, 3, 3) rows: those of each close-up in the picture, and depth; metres of a pixel."""
    camera, given, units = held(hands, *size)
    pixels = torch.zeros(*given.joints.shape[:3], 2)
    for side, hand in hands.items():
        pixels[0, SIDES.index(side)] = torch.from_numpy(hand[:, :2])
    across = frames_of(given.joints, pixels, camera.fx).axes[0].double()
    whole = torch.nn.functional.pad(across, (0, 1, 0, 1))
    whole[..., 2, 2] = 1
    return {side: whole[SIDES.index(side)].numpy() for side in hands}, units
