"""Which hand is the left one: one hand a side, and no flicker from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from im2hands_ros.detection.landmarks import FloatArray, Landmarks

_SHARE = 0.3  # of a new frame in a hand's running probability
_LONGEST_GAP = 0.5  # seconds without a hand until it is another one
_REACH = 0.5  # of a hand's extent: how far it may move between frames
_SAME = 0.25  # of a hand's extent: two findings this close are one hand


@dataclass(frozen=True)
class Sided:
    """A hand with its side.

    Attributes:
        landmarks: what was found.
        side: "left" or "right".
        confidence: probability of that side over the last frames, 0 to 1.
    """

    landmarks: Landmarks
    side: str
    confidence: float


@dataclass(frozen=True)
class _Followed:
    centre: FloatArray
    right: float


class Sides:
    """Gives every hand of a frame its side; at most one hand each.

    Of two hands the one that is more probably a right one is the right one, whatever their
    labels say; the probabilities are averaged over the frames in which a hand is followed.
    """

    def __init__(self) -> None:
        self._before: list[_Followed] = []
        self._stamp = 0.0

    def assign(self, hands: Sequence[Landmarks], stamp: float) -> list[Sided]:
        """The hands of the next frame with their sides.

        Args:
            hands: any number; findings of the same hand are merged and at most two are kept.
            stamp: seconds, when the frame was taken; after a step back or a long gap
                probabilities start anew.
        """
        if not 0 <= stamp - self._stamp < _LONGEST_GAP:
            self._before = []
        kept = _distinct(hands)[:2]
        rights = self._running(kept)
        if kept:
            self._stamp = stamp
            both = zip(kept, rights, strict=True)
            self._before = [_Followed(hand.centre, right) for hand, right in both]
        return _sided(kept, rights)

    def _running(self, hands: Sequence[Landmarks]) -> list[float]:
        """Running probabilities of being a right hand."""
        left = list(self._before)
        rights = []
        for hand in hands:
            distances = [float(np.linalg.norm(hand.centre - each.centre)) for each in left]
            nearest = int(np.argmin(distances)) if distances else None
            if nearest is None or distances[nearest] > _REACH * hand.extent:
                rights.append(hand.right)
                continue
            running = left.pop(nearest).right
            rights.append(running + _SHARE * (hand.right - running))
        return rights


def _distinct(hands: Sequence[Landmarks]) -> list[Landmarks]:
    """Without second findings of a hand; the most probable sides come first."""
    kept: list[Landmarks] = []
    for hand in sorted(hands, key=lambda each: -abs(each.right - 0.5)):
        gaps = (np.linalg.norm(hand.pixels - other.pixels, axis=1).mean() for other in kept)
        if all(gap > _SAME * hand.extent for gap in gaps):
            kept.append(hand)
    return kept


def _sided(hands: Sequence[Landmarks], rights: Sequence[float]) -> list[Sided]:
    if len(hands) == 2:
        first = rights[0] >= rights[1]
        is_right = [first, not first]
    else:
        is_right = [right >= 0.5 for right in rights]
    return [
        Sided(hand, "right" if yes else "left", right if yes else 1 - right)
        for hand, right, yes in zip(hands, rights, is_right, strict=True)
    ]
