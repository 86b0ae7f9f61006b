"""Two hands of one person are about as far away as each other, the more so where they meet.

The distance of a hand that one picture gives is a seventh off, and of two hands each by its own:
hands that touch come to lie a palm's length behind each other. How far two hands can differ in
depth is told better by the gap between them in the picture. The difference of the two estimates
is believed as far as that allows; their mean is kept.
"""

from __future__ import annotations

import math

import numpy as np

from im2hands_ros.detection.landmarks import FloatArray

# Standard deviations of the logarithm of the ratio of two distances: of its estimate; of the truth
# for hands that meet in the picture, and for each hand's extent between them, up to one.
# Measured on 31 pairs found in our own renders.
_ESTIMATE = 0.2
_MEETING = 0.05
_PER_EXTENT = 0.2
_ANOTHER_PERSON = 0.7  # one hand seems twice as far away as the other


def settle_pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring two hands to distances that fit to each other, each along its rays.

    Args:
        first, second: (21, 3) joints, metres, camera frame, z > 0.

    Returns:
        (21, 3) float32 each; as given where one seems to be another person's.
    """
    apart = math.log(float(first[:, 2].mean() / second[:, 2].mean()))
    if abs(apart) > _ANOTHER_PERSON:
        return first, second
    possible = _MEETING + _PER_EXTENT * min(_gap(first, second), 1.0)
    believed = possible**2 / (possible**2 + _ESTIMATE**2)
    change = math.exp((believed - 1) * apart / 2)
    return (first * change).astype(np.float32), (second / change).astype(np.float32)


def _gap(first: np.ndarray, second: np.ndarray) -> float:
    """Between the nearest joints of two hands in the picture, in extents of a hand."""
    seen: list[FloatArray] = [hand[:, :2] / hand[:, 2:] for hand in (first, second)]
    extents = [float(np.linalg.norm(np.ptp(points, axis=0))) for points in seen]
    between = np.linalg.norm(seen[0][:, None] - seen[1], axis=2)
    return float(between.min()) / float(np.mean(extents))
