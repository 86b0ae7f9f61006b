"""Two hands of one person are about as far from the camera as each other.

The distance of a hand that one picture gives is a seventh off, and of two hands each by its own:
hands that touch come to lie a palm's length behind each other. The hands of one person differ less
in distance than these estimates do, so a part of their difference is kept, and their mean.
"""

from __future__ import annotations

import math

import numpy as np

# Of the logarithm of the ratio of both distances. Fitted to 62 pairs found in our own renders,
# touching and up to 25 cm apart: the hands' places to each other are 52 instead of 98 mm off.
_KEPT = 0.3
_ANOTHER_PERSON = 0.7  # the same logarithm: one hand seems twice as far away as the other


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
    change = math.exp((_KEPT - 1) * apart / 2)
    return (first * change).astype(np.float32), (second / change).astype(np.float32)
