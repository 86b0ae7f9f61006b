"""Whether joints lie on a hand, by how it is seen beside the other one and by itself.

The network conditioned on both hands sees fingers of one hand as a second, smaller one, or one
hand twice. What it says of the fit, the unconditioned network, and where the joints lie on
those of the other hand say together what none of them says alone.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from im2hands_ros.detection.landmarks import FloatArray
from im2hands_ros.networks.compact.landmark_encoder import SeenHand

# Of `belonging`, in the order of `observations`, and of a constant: logistic regression on
# candidates for a second hand and elected pairs in whole pictures of 600 scenes of split `train`,
# by this network.
WEIGHTS = (0.589, 1.292, 1.341, 0.185, -2.047, -1.864, -0.311)
SECOND_WEIGHTS = (0.767, 1.386, 0.775, -0.091, -3.419, -3.23, 1.283)
"""The same of guesses beside a first hand, in 425 scenes of which three quarters are photographs
overlaid: as ``tools/fit_second_hand.py --belonging`` fits them."""
# Presence to the unconditioned network, below which there is no hand: the other one sees
# its prior joints. Of pictures of real hands laid over each other hands have 0.13 and more.
_THERE = 0.1
_FARTHEST = 0.6  # of the larger hand's extent: farther apart says nothing more, nor does no hand
_SUREST = 4.0  # logarithm of the odds of the side


def observations(
    hand: SeenHand, alone: SeenHand, side: str, other_px: FloatArray | None
) -> tuple[float, ...]:
    """What tells whether the joints are a hand's.

    Args:
        hand: as the network conditioned on both hands sees it.
        alone: the same place as the unconditioned network sees it.
        side: that it is believed to be of.
        other_px: (21, 2) the other hand's joints; None: there is none.

    Returns:
        The fit; the distance from the other hand, of the larger one's extent; presence and
        logarithm of the odds of the side as seen alone; the distance between both ways to see it,
        of its extent; the share of joints that lie within the other hand's outline.
    """
    extent = max(float(np.linalg.norm(np.ptp(hand.pixels, axis=0))), 1.0)
    right = float(np.clip(alone.right, 1e-6, 1 - 1e-6))
    odds = math.log(right / (1 - right)) * (1 if side == "right" else -1)
    differ = np.linalg.norm(alone.pixels - hand.pixels, axis=1).mean() / extent
    apart, inside = _FARTHEST, 0.0
    if other_px is not None:
        larger = max(extent, float(np.linalg.norm(np.ptp(other_px, axis=0))))
        apart = float(np.linalg.norm(hand.pixels - other_px, axis=1).mean()) / larger
        inside = share_within(hand.pixels, other_px)
    return (
        hand.fits,
        min(apart, _FARTHEST),
        alone.presence,
        float(np.clip(odds, -_SUREST, _SUREST)),
        min(float(differ), _FARTHEST),
        inside,
    )


def belonging(
    hand: SeenHand,
    alone: SeenHand,
    side: str,
    other_px: FloatArray | None = None,
    weights: tuple[float, ...] = WEIGHTS,
) -> float:
    """Logarithm of the odds that the joints lie on a hand of that side; see `observations`.

    Minus infinity where the unconditioned network sees no hand at all.
    """
    if alone.presence < _THERE:
        return -math.inf
    *each, constant = weights
    seen = observations(hand, alone, side, other_px)
    return constant + sum(w * x for w, x in zip(each, seen, strict=True))


def share_within(points: FloatArray, other: FloatArray) -> float:
    """Of (N, 2) points, those in the convex hull of (M, 2) others."""
    hull = cv2.convexHull(other.astype(np.float32))
    within = [cv2.pointPolygonTest(hull, (float(x), float(y)), False) >= 0 for x, y in points]
    return float(np.mean(within))
