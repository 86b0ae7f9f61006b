"""Many looks at the hands of a picture, and what most of them agree on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from im2hands_ros.anatomy import disproportion
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.skeleton import SIDES

SAME = 0.15
"""Of a hand's extent: findings whose joints are this close on the average are one hand."""
APART = 0.12
"""Of a hand's extent: two sides' hands that are closer than this are one hand."""
LEAST_PRESENCE = 0.3
# Root mean square of the logarithm of bone lengths: of right findings one in fifty lies above, of
# wrong ones two thirds.
_ODD = 0.55
# Votes that make a hand half as probable as endless ones.
_HALF = 1.0
# Of the largest hand's extent: hands from this size on are as probable as the largest, smaller ones
# are another person's or seen wrongly.
_LARGE = 0.8
# Of a hand's extent: from the first to the second distance a second hand becomes one of its own,
# and no wrong look at the first.
_SEPARATE = (0.18, 0.3)
# Of a hand's extent: from the first to the second distance of two hands they are less and less
# likely those of one person, down to this share of their worth; so are hands of other sizes, by the
# logarithm of their mean bone lengths' ratio.
_TOGETHER, _WIDE = (0.7, 2.5), 0.75
_SIZES, _OTHER_SIZE = 0.5, 0.75
# The same beside other pairs by the colours of their skin: of looks at hands of one person in one
# picture a third differ by more than the first, a twentieth by more than 0.07.
_COLOURS, _OTHER_COLOUR = (0.03, 0.08), 0.5
_SHARE = 0.05  # of the first hand's votes, that a second one needs
# Of the logarithms of the odds of both sides. Whatever the network says of each, of two hands of
# one person one is the left one.
_SIDE_WEIGHT = 0.5
_LEAST_SECOND = 0.4  # worth of a second hand
_DOUBTFUL_SIDE = 0.1  # worth of a single hand whose side is not its own
_KNOWN_VOTES = 6.0
_SUREST_SIDE = 0.98


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


def side_probabilities(hands: Mapping[str, Landmarks]) -> dict[str, float]:
    """Of hands of one person, that each is of its side: two are right both or wrong both."""
    right = float(np.prod([hand.is_of(side) for side, hand in hands.items()]))
    wrong = float(np.prod([1 - hand.is_of(side) for side, hand in hands.items()]))
    return dict.fromkeys(hands, right / max(right + wrong, 1e-9))


def elect(
    findings: Sequence[Landmarks],
    known: Mapping[str, Landmarks],
    least_votes: float,
    colour: Callable[[Landmarks], FloatArray] | None = None,
) -> dict[str, Elected]:
    """At most one hand of each side that is not known, those of one person: of several the nearest.

    Args:
        findings: of both hands, of other people's, and wrong ones.
        known: hands of which nothing more is to be found.
        least_votes: sum of presences that a hand alone needs.
        colour: (2,) of a hand's skin, see `skin_colour.colour_of`; None: all have one colour.
    """
    new = [
        hand
        for hand in findings
        if credible(hand) and all(hand.distance(other) > SAME for other in known.values())
    ]
    if not new or len(known) == len(SIDES):
        return {}
    hands = [*known.values(), *new]
    apart = np.array([[a.distance(b) for b in hands] for a in hands])
    near = (apart < SAME) * np.array([hand.presence for hand in hands])
    votes = near.sum(1)
    right = near @ np.array([hand.right for hand in hands]) / votes
    for index, side in enumerate(known):
        votes[index], right[index] = _KNOWN_VOTES, float(side == "right")
    extents = np.array([hand.extent for hand in hands])
    sizes = np.array([hand.size for hand in hands])
    colours = np.array([np.zeros(2) if colour is None else colour(hand) for hand in hands])
    colours = _averaged(near, colours)
    pairs = _worth_of_pairs(votes, right, apart, extents) * _as_one_person(apart, sizes)
    chosen = _best(pairs, _of_one_skin(colours), _worth(votes, extents), right, list(known))
    return {
        side: Elected(
            _median([hands[k] for k in np.flatnonzero(near[i])], float(right[i])), float(votes[i])
        )
        for side, i in chosen.items()
        if len(chosen) + len(known) == len(SIDES) or votes[i] >= least_votes
    }


def _worth(votes: FloatArray, extents: FloatArray) -> FloatArray:
    """(N,) of each hand by itself, 0 to 1."""
    large = np.minimum(extents / (_LARGE * extents.max()), 1.0)
    return large * votes / (votes + _HALF)  # type: ignore[no-any-return]


def _worth_of_pairs(
    votes: FloatArray, right: FloatArray, apart: FloatArray, extents: FloatArray
) -> FloatArray:
    """(N, N) of a left hand and a right one; 0 where the second is none."""
    worth, share = _worth(votes, extents), right.clip(1 - _SUREST_SIDE, _SUREST_SIDE)
    odds = np.log(share / (1 - share))
    sides = 1 / (1 + np.exp(-_SIDE_WEIGHT * (odds[None] - odds[:, None])))
    nearest, own = _SEPARATE
    separate = ((apart - nearest) / (own - nearest)).clip(0, 1)
    fewer, more = np.minimum(votes[:, None], votes[None]), np.maximum(votes[:, None], votes[None])
    seconds = np.minimum(worth[:, None], worth[None]) * separate * sides
    seconds *= np.minimum(fewer / (_SHARE * more), 1.0)
    pairs = sides * np.maximum(worth[:, None], worth[None]) + seconds
    return np.where(seconds > _LEAST_SECOND, pairs, 0.0)  # type: ignore[no-any-return]


def _as_one_person(apart: FloatArray, sizes: FloatArray) -> FloatArray:
    """(N, N) share of a pair's worth that is left, where another person's hand may be in it."""
    beside, far = _TOGETHER
    wide = ((apart - beside) / (far - beside)).clip(0, 1)
    unequal = (np.abs(sizes[:, None] - sizes[None]) / _SIZES).clip(0, 1)
    return (1 - (1 - _WIDE) * wide) * (1 - (1 - _OTHER_SIZE) * unequal)  # type: ignore[no-any-return]


def _averaged(near: FloatArray, values: FloatArray) -> FloatArray:
    """(N, 2) means over the (N, N) weighted findings that are near, of those that are known."""
    weights = near @ np.isfinite(values)
    means = near @ np.nan_to_num(values) / np.maximum(weights, 1e-9)
    return np.where(weights > 0, means, np.nan)  # type: ignore[no-any-return]


def _of_one_skin(colours: FloatArray) -> FloatArray:
    """(N, N) share of a pair's worth beside other pairs' that is left; see `skin_colour`."""
    alike, other = _COLOURS
    differ = np.nan_to_num(np.linalg.norm(colours[:, None] - colours[None], axis=2))
    return 1 - (1 - _OTHER_COLOUR) * ((differ - alike) / (other - alike)).clip(0, 1)  # type: ignore[no-any-return]


def _best(
    pairs: FloatArray, alike: FloatArray, worth: FloatArray, right: FloatArray, known: list[str]
) -> dict[str, int]:
    """Side -> index of the hand; the pair, or the one, that is worth most, without known ones.

    Colours choose between pairs; one bare and one gloved hand are as good as any against one alone.
    """
    chosen = pairs * alike
    if known:
        row = chosen[0] if known[0] == "left" else chosen[:, 0]
        new = SIDES[1 - SIDES.index(known[0])]
        return {new: int(row.argmax())} if row.max() > 0 else {}
    sure = np.maximum(right, 1 - right)
    single = worth * (_DOUBTFUL_SIDE + (1 - _DOUBTFUL_SIDE) * sure)
    indices = np.unravel_index(int(chosen.argmax()), chosen.shape)
    if pairs[indices] > single.max():
        return {side: int(index) for side, index in zip(SIDES, indices, strict=True)}
    best = int(single.argmax())
    return {"right" if right[best] > 0.5 else "left": best}


def _median(hands: Sequence[Landmarks], right: float) -> Landmarks:
    """Medians, which a single wrong finding does not move."""
    middle = {
        name: np.median([getattr(hand, name) for hand in hands], axis=0)
        for name in ("pixels", "relief", "shape")
    }
    presence = float(np.median([hand.presence for hand in hands]))
    return replace(hands[0], **middle, right=right, presence=presence)
