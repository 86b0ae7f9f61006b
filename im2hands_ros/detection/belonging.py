"""Whether joints lie on a hand, by how it is seen beside the other one and by itself.

A network conditioned on both hands sees fingers of one hand as a second, smaller one, or one hand
twice. What it says of the fit, the other such network, the unconditioned one, and where the joints
lie on those of the other hand say together what none of them says alone.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from im2hands_ros.detection.landmarks import FloatArray
from im2hands_ros.networks.compact.landmark_encoder import SeenHand

# Of `belonging`, in the order of `observations`, and of a constant: as ``tools/fit_belonging.py``
# fits them on what is elected in 1520 whole pictures of split `train` and in photographs overlaid.
WEIGHTS = (0.464, -6.541, 2.498, -1.797, -3.999, -2.515, 3.724)
SECOND_WEIGHTS = (0.715, -0.733, 0.261, -2.767, -2.405, -1.043, 1.501)
"""The same of candidates beside a first hand."""
# Presence to the unconditioned network, below which there is no hand: the other one sees
# its prior joints. Of pictures of real hands laid over each other hands have 0.13 and more.
THERE = 0.1
_FARTHEST = 0.6  # of the larger hand's extent: farther apart says nothing more, nor does no hand


def observations(
    hand: SeenHand, again: SeenHand, alone: SeenHand, other_px: FloatArray | None
) -> tuple[float, ...]:
    """What tells whether the joints are a hand's.

    Args:
        hand: as a network conditioned on both hands sees it; ``fits`` by the one that finds second
            hands.
        again: the same place as the other one of those networks sees it.
        alone: the same place as the unconditioned network sees it.
        other_px: (21, 2) the other hand's joints; None: there is none.

    Returns:
        The fit; the distance from the other hand, of the larger one's extent; presence as seen
        alone; how far off it is then, and seen again, of its extent; the share of joints that lie
        within the other hand's outline.
    """
    extent = max(float(np.linalg.norm(np.ptp(hand.pixels, axis=0))), 1.0)
    differ, wander = (
        min(float(np.linalg.norm(it.pixels - hand.pixels, axis=1).mean()) / extent, _FARTHEST)
        for it in (alone, again)
    )
    apart, inside = _FARTHEST, 0.0
    if other_px is not None:
        larger = max(extent, float(np.linalg.norm(np.ptp(other_px, axis=0))))
        apart = float(np.linalg.norm(hand.pixels - other_px, axis=1).mean()) / larger
        inside = share_within(hand.pixels, other_px)
    return (
        hand.fits,
        min(apart, _FARTHEST),
        alone.presence,
        differ,
        wander,
        inside,
    )


def belonging(
    hand: SeenHand,
    again: SeenHand,
    alone: SeenHand,
    other_px: FloatArray | None = None,
    weights: tuple[float, ...] = WEIGHTS,
) -> float:
    """Logarithm of the odds that the joints lie on a hand; see `observations`.

    Minus infinity where the unconditioned network sees no hand at all.
    """
    if alone.presence < THERE:
        return -math.inf
    *each, constant = weights
    seen = observations(hand, again, alone, other_px)
    return constant + sum(w * x for w, x in zip(each, seen, strict=True))


def share_within(points: FloatArray, other: FloatArray) -> float:
    """Of (N, 2) points, those in the convex hull of (M, 2) others."""
    hull = cv2.convexHull(other.astype(np.float32))
    within = [cv2.pointPolygonTest(hull, (float(x), float(y)), False) >= 0 for x, y in points]
    return float(np.mean(within))
