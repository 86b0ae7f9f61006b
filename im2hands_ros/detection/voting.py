"""Many looks at the hands of a picture, and what most of them agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import disproportion
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.skeleton import SIDES

SAME = 0.15
"""Of a hand's extent: findings whose joints are this close on the average are one hand."""
APART = 0.1
"""Of a hand's extent: two sides' hands that are closer than this are one hand."""
LEAST_PRESENCE = 0.3
# Root mean square of the logarithm of bone lengths: of right findings one in fifty lies above, of
# wrong ones two thirds.
_ODD = 0.55
_ENOUGH = 3.0  # more votes do not make a hand more probable
# A hand that is said to be of the other side counts this much for its own: of two hands of one
# person one is the left one, whatever the network says.
_DOUBTFUL_SIDE = 0.1


class Elected(NamedTuple):
    """What the findings of one hand agree on.

    Attributes:
        hand: medians of those findings; its ``right`` is their mean.
        votes: sum of their presences.
    """

    hand: Landmarks
    votes: float


def credible(hand: Landmarks) -> bool:
    """Whether a finding can be a hand by itself: it is there, and has a hand's proportions."""
    joints = np.column_stack([hand.pixels, hand.relief])
    return hand.presence >= LEAST_PRESENCE and disproportion(joints) < _ODD


def elect(
    findings: Sequence[Landmarks], known: Mapping[str, Landmarks], least_votes: float
) -> dict[str, Elected]:
    """At most one hand of each side that is not known, those of one person: of several the nearest.

    Args:
        findings: of both hands, of other people's, and wrong ones.
        known: hands of which nothing more is to be found.
        least_votes: sum of presences, weighted by side, that a hand needs.
    """
    found = [
        hand
        for hand in findings
        if credible(hand) and all(hand.distance(other) > SAME for other in known.values())
    ]
    if not found:
        return {}
    apart = np.array([[a.distance(b) for b in found] for a in found])
    presence = np.array([hand.presence for hand in found])
    rights = np.array([hand.right for hand in found])
    near = (apart < SAME) * presence
    votes = near.sum(1)
    right = near @ rights / votes
    extents = np.array([hand.extent for hand in found])
    worth = {
        side: np.minimum(votes, _ENOUGH) * _side_share(side, right) * (side not in known)
        for side in SIDES
    }
    chosen = _best_pair(worth, apart, extents / extents.max(), least_votes)
    return {
        side: Elected(
            _median([found[k] for k in np.flatnonzero(near[i])], float(right[i])), float(votes[i])
        )
        for side, i in chosen.items()
    }


def _side_share(side: str, right: NDArray[np.float64]) -> NDArray[np.float64]:
    share = right if side == "right" else 1 - right
    return _DOUBTFUL_SIDE + (1 - _DOUBTFUL_SIDE) * share


def _best_pair(
    worth: dict[str, NDArray[np.float64]],
    apart: NDArray[np.float64],
    size: NDArray[np.float64],
    least: float,
) -> dict[str, int]:
    """Side -> index of a finding; the pair, or the one, that is worth most."""
    gains = {side: np.where(worth[side] >= least, worth[side] * size, 0.0) for side in SIDES}
    together = gains["left"][:, None] + gains["right"][None]
    together[apart < APART] = 0.0
    both = (gains["left"][:, None] > 0) & (gains["right"][None] > 0)
    pairs = np.where(both, together, 0.0)
    single = max(SIDES, key=lambda side: gains[side].max())
    if pairs.max() > gains[single].max():
        left, right = np.unravel_index(int(pairs.argmax()), pairs.shape)
        return {"left": int(left), "right": int(right)}
    if gains[single].max() > 0:
        return {single: int(gains[single].argmax())}
    return {}


def _median(hands: Sequence[Landmarks], right: float) -> Landmarks:
    """Medians, which a single wrong finding does not move."""
    middle = {
        name: np.median([getattr(hand, name) for hand in hands], axis=0)
        for name in ("pixels", "relief", "shape")
    }
    presence = float(np.median([hand.presence for hand in hands]))
    return replace(hands[0], **middle, right=right, presence=presence)
