"""The second hand, where one alone was found: where it may be, and whether what is seen is it.

A hand that another one hides in part has few palms and votes of its own. A network conditioned on
the first hand moves to it from a guess: that it looks like the first one in the mirror, in one of
several places. It is trained for that by ``tools/train_second_hand.py``, and to tell whether it has
come to lie on a hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.lift import ANOTHER_PERSON
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder, Look, SeenHand
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE
from im2hands_ros.networks.compact.landmark_regions import moved, moved_back, region_of
from im2hands_ros.skeleton import SIDES

# Of the other hand's region, as the network sees the first one: its middle, in half a region from
# that of the first, and its turn, degrees clockwise. Clusters of the pairs of our training scenes.
_PLACES = (
    (-0.47, -0.24, 38),
    (0.25, 0.21, 54),
    (-0.47, 0.28, -19),
    (0.11, -0.22, -72),
    (0.54, -0.07, -8),
    (0.35, 0.48, 107),
    (-0.12, -0.37, 106),
    (-0.11, 0.31, -142),
)
MOST_FOUND = 6  # candidates that were found anyhow
_FAINT = 0.05  # presence
_CLEARLY = 2.0  # of the logarithms of the odds
_APART, _ALIKE = 0.15, 0.1  # of a hand's extent: from the first hand, and from other candidates
_SAME = 0.08  # of a hand's extent: two looks end at one place
_SIZES = (0.4, 2.5)  # of the first hand's extent


def other_side(side: str) -> str:
    """The other one of ``SIDES``."""
    return SIDES[1 - SIDES.index(side)]


def regions_beside(joints_px: FloatArray, side: str) -> list[FloatArray]:
    """(2, 3) regions in which the other hand of a (21, 2) hand of this side may be."""
    first = region_of(joints_px, side == "left")
    middle, regions = (INPUT_SIZE - 1) / 2, []
    for across, along, turn in _PLACES:
        angle = np.radians(turn)
        # The other hand is seen in the mirror, if the first one is not.
        linear = np.array([[-np.cos(angle), -np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        place = middle + INPUT_SIZE / 2 * np.array([across, along])
        region = linear @ first
        region[:, 2] += middle - linear @ place
        regions.append(region)
    return regions


def guesses_beside(joints_px: FloatArray, side: str) -> list[FloatArray]:
    """(21, 2) joints of another hand like this one, in each of `regions_beside`."""
    own = moved(joints_px, region_of(joints_px, side == "left"))
    return [moved_back(own, region) for region in regions_beside(joints_px, side)]


def candidates(first: Landmarks, side: str, findings: Iterable[Landmarks]) -> list[FloatArray]:
    """(21, 2) joints where the other hand may be: the likeliest of what was found anyhow, then
    `guesses_beside` the first hand, which is of this side."""
    chosen: list[Landmarks] = []
    for hand in sorted(findings, key=lambda hand: -hand.presence):
        size = hand.extent / max(first.extent, 1.0)
        if (
            hand.presence > _FAINT
            and hand.distance(first) > _APART
            and _SIZES[0] < size < _SIZES[1]
            and all(hand.distance(other) > _ALIKE for other in chosen)
        ):
            chosen.append(hand)
    found = [hand.pixels for hand in chosen[:MOST_FOUND]]
    return [*found, *guesses_beside(first.pixels, side)]


def alike_in_size(first: Landmarks, other: Landmarks) -> bool:
    """Whether two hands are as large as one person's can seem, one farther away than the other."""
    return abs(first.size - other.size) < ANOTHER_PERSON


def fit_better(exchanged: Mapping[str, SeenHand], seen: Mapping[str, SeenHand]) -> bool:
    """Whether all hands are seen clearly better as those of the other sides."""
    gains = [hand.fits - seen[other_side(side)].fits for side, hand in exchanged.items()]
    return min(gains) > 0 and sum(gains) > _CLEARLY


def looked_at(
    conditioned: ConditionedEncoder,
    image: NDArray[np.uint8],
    side: str,
    first: Landmarks,
    joints: Sequence[FloatArray],
    kept: int = 8,
) -> list[SeenHand]:
    """Candidates as they are seen by the network conditioned on both hands, the likeliest first.

    Args:
        side: of the first hand, which is as it is.
        joints: (21, 2) of each.
        kept: how many are looked at twice; those that end at one place count as one.
    """
    other = other_side(side)
    for count in (len(joints), kept):
        looks = [Look(other, {side: first.pixels, other: each}) for each in joints[:count]]
        seen = sorted(conditioned(image, looks), key=lambda hand: -hand.fits)
        joints = _distinct(seen)
    return seen


def _distinct(seen: Sequence[SeenHand]) -> list[FloatArray]:
    """The joints of hands, of several at one place those of the first."""
    places: list[FloatArray] = []
    for hand in seen:
        near = _SAME * float(np.linalg.norm(np.ptp(hand.pixels, axis=0)))
        off = [np.linalg.norm(hand.pixels - place, axis=1).mean() for place in places]
        if min(off, default=np.inf) > near:
            places.append(hand.pixels)
    return places
