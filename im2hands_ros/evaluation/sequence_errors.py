"""What trackers do to the joints of a stream: errors that last for a second or two, and noise.

The errors are those of `training.augmentation.TrackerErrors`, each drawn over time instead of once
a scene: the hand's size, its place, its flatness, its distance along the viewing ray.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from im2hands_ros.evaluation.inputs import TRACKER_ERRORS
from im2hands_ros.training.augmentation import TrackerErrors

# How long errors last, seconds: their autocorrelation falls to 1/e in about this time.
PERSISTENCE = 1.5
NOISE = 0.010


def track_with_errors(
    keypoints: NDArray[np.float32],
    rate: float,
    rng: np.random.Generator,
    noise: float = NOISE,
    errors: TrackerErrors | None = TRACKER_ERRORS,
    persistence: float = PERSISTENCE,
) -> NDArray[np.float32]:
    """A tracker's joints of one hand.

    Args:
        keypoints: (T, 21, 3) true ones, metres, camera frame.
        rate: frames per second.
        rng: decides everything.
        noise: standard deviation of what is new in every frame, on every coordinate, metres.
        errors: that last, as large as single scenes get; None: noise alone.
        persistence: how long they last, seconds.

    Returns:
        (T, 21, 3) float32.
    """
    count = len(keypoints)
    wrong = keypoints.astype(np.float64)
    if errors is not None:

        def lasting(columns: int) -> NDArray[np.float64]:
            return _lasting(rng, count, columns, persistence * rate)

        wrong = _with_lasting_errors(wrong, errors, lasting(6))
    return (wrong + rng.normal(0, noise, wrong.shape)).astype(np.float32)


def _with_lasting_errors(
    joints: NDArray[np.float64], errors: TrackerErrors, drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(T, 21, 3) joints with errors that follow the (T, 6) standard normal curves."""
    centre = joints.mean(axis=1, keepdims=True)
    low, high = errors.scale
    scale = low + (high - low) * ndtr(drawn[:, 0])
    # Half of the time the tracker's relative depth is right, as in single scenes.
    flat = errors.flatness + (1 - errors.flatness) * np.clip(2 * ndtr(drawn[:, 1]), 0, 1)
    shape = np.stack([scale, scale, scale * flat], axis=1)[:, None]
    lateral, along = errors.offset_sigma
    offset = drawn[:, 2:5] * [lateral, lateral, along]
    apart = errors.apart_sigma * drawn[:, 5]
    moved = centre + (joints - centre) * shape + offset[:, None]
    return moved * (1 + apart[:, None, None] / np.maximum(centre[..., 2:], 0.1))


def _lasting(
    rng: np.random.Generator, frames: int, columns: int, persistence: float
) -> NDArray[np.float64]:
    """(frames, columns) standard normal curves that last for ``persistence`` frames."""
    # White noise through a Gaussian of width w has the autocorrelation exp(-t² / 4 w²).
    width = persistence / 2
    margin = int(np.ceil(4 * width))
    white = rng.standard_normal((frames + 2 * margin, columns))
    smooth = gaussian_filter1d(white, width, axis=0)[margin : margin + frames]
    return smooth * np.sqrt(2 * width * np.sqrt(np.pi))
