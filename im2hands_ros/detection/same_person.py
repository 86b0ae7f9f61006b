"""Whether a hand that is found is the one that was lost: by where it was, how large, what colour.

Two people's hands are alike to the networks. What tells them apart in a stream is that a hand is
near where it was a moment ago, about as near to the camera, and of the same skin in the same light.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.skin_colour import colour_of
from im2hands_ros.detection.voting import credible
from im2hands_ros.skeleton import SIDES

# Seconds after which a hand that was not seen again may be found anywhere, as anybody's: where one
# person is in view, and where several are.
_MEMORY_ALONE, _MEMORY_AMONG_OTHERS = 0.8, 4.0
_OTHERS_STAY = 4.0  # seconds for which other people are believed to be in view
_LOOKED_AFTER = 0.4  # seconds for which a lost hand is looked for where it was
_MOST_EXPECTED = 0.1  # seconds for which a hand is expected to move on as it did
# Of a hand's extent: how far joints are found on the average from where they were expected, at
# once, and how much farther with every second.
_NEAR, _PER_SECOND_ALONE, _PER_SECOND_AMONG_OTHERS = 0.2, 1.2, 0.5
# The same of a hand that is followed, per 1/15 s: where it is seen in doubt, and clearly.
_JUMP, _LEAP, _CLEAR = 0.2, 0.5, 1.0
# Of the logarithm of mean bone lengths in the picture, and of the ratios of its colours.
_SIZES, _COLOURS, _ALONE = 0.35, 0.13, 1.3
_CLEARLY = 2.0
_SHARE = 0.3  # of a new frame in the means of size and colour
_SURE, _FAR = 0.7, 0.6  # presence, and extents from others: of a hand that counts as one more


@dataclass(frozen=True)
class _Remembered:
    """last: as it was seen last, at this stamp; velocity: (2,) pixels a second; size: logarithm;
    colour: see `colour_of`."""

    last: Landmarks
    stamp: float
    velocity: FloatArray
    size: float
    colour: FloatArray

    def off(self, stamp: float, hand: Landmarks, given: FloatArray | None = None) -> float:
        """Mean distance of a hand's joints from where they are expected, of the extent.

        Args:
            given: (21, 2) pixels where somebody else expects them.
        """
        expected = self.last.pixels + self.velocity * min(stamp - self.stamp, _MOST_EXPECTED)
        places = [expected] if given is None else [expected, given]
        apart = min(np.linalg.norm(hand.pixels - each, axis=1).mean() for each in places)
        return float(apart / max(self.last.extent, hand.extent, 1.0))

    def unlike(self, image: NDArray[np.uint8], hand: Landmarks, off: float) -> float:
        """How much another hand, being off by so much of what is allowed, is unlike this one; from
        1 on it is another one."""
        size = (hand.size - self.size) / _SIZES
        colour = float(np.linalg.norm(colour_of(image, hand.pixels) - self.colour)) / _COLOURS
        return float(np.sqrt(off**2 + size**2 + (0 if np.isnan(colour) else colour) ** 2))


class PersonMemory:
    """The hands of the person who is followed, for a while after they were lost."""

    def __init__(self) -> None:
        self._hands: dict[str, _Remembered] = {}
        self._others_seen = -math.inf
        self._met: list[Landmarks] = []

    def forget(self) -> None:
        """Nobody is known."""
        self._hands, self._others_seen = {}, -math.inf

    def exchange(self) -> None:
        """The hands are of the other sides."""
        self._hands = {SIDES[1 - SIDES.index(side)]: hand for side, hand in self._hands.items()}

    def meet(self, stamp: float, middles: Sequence[FloatArray]) -> None:
        """Palms that are seen in this frame, by their (2,) middles: others', where they are not
        near the hands that are known."""
        known = [hand.last for hand in self._hands.values()]
        for middle in middles:
            if all(np.linalg.norm(middle - hand.centre) > _FAR * hand.extent for hand in known):
                self._others_seen = stamp

    def remember(
        self, image: NDArray[np.uint8], stamp: float, hands: Mapping[str, Landmarks]
    ) -> None:
        """Hands that are seen in this frame; others are forgotten after a while."""
        if len(hands) + len(_distinct(self._met, hands.values())) > len(SIDES):
            self._others_seen = stamp
        self._met = []
        among = self._among_others(stamp)
        memory = _MEMORY_AMONG_OTHERS if among else _MEMORY_ALONE
        kept = {s: hand for s, hand in self._hands.items() if stamp - hand.stamp < memory}
        for side, hand in hands.items():
            kept[side] = _updated(kept.get(side), image, stamp, hand)
        self._hands = kept

    def _among_others(self, stamp: float) -> bool:
        return stamp - self._others_seen < _OTHERS_STAY

    def places(self, stamp: float) -> dict[str, FloatArray]:
        """(21, 2) pixels of hands that were seen a moment ago."""
        return {
            side: hand.last.pixels
            for side, hand in self._hands.items()
            if stamp - hand.stamp < _LOOKED_AFTER
        }

    def goes_on(
        self,
        image: NDArray[np.uint8],
        stamp: float,
        side: str,
        hand: Landmarks,
        given: FloatArray | None = None,
    ) -> bool:
        """Whether a hand that is seen where one was moves as that one did, or is where it is
        expected by whom gives that; a jump is believed only of one that is seen clearly."""
        known = self._hands.get(side)
        if known is None:
            return True
        frames = max(15 * (stamp - known.stamp), 1.0)
        off = known.off(stamp, hand, given) / frames
        if hand.fits < _CLEAR and self._among_others(stamp):
            return known.unlike(image, hand, off / _JUMP) < 1
        return off < (_JUMP if hand.fits < _CLEAR else _LEAP)

    def may_be(self, image: NDArray[np.uint8], stamp: float, side: str, hand: Landmarks) -> bool:
        """Whether a hand can be the remembered one of this side; True where none is."""
        self._met.append(hand)
        known = self._hands.get(side)
        if known is None:
            return True
        off = known.off(stamp, hand)
        if any(each.off(stamp, hand) < off for each in self._hands.values()):
            return False  # it is the other hand
        if not self._among_others(stamp):
            reach = _NEAR + _PER_SECOND_ALONE * (stamp - known.stamp)
            return known.unlike(image, hand, off / reach) < _ALONE
        if not (hand.is_of(side) > 0.5 or hand.fits > _CLEARLY):
            return False
        reach = _NEAR + _PER_SECOND_AMONG_OTHERS * (stamp - known.stamp)
        return known.unlike(image, hand, off / reach) < 1


def _updated(
    before: _Remembered | None, image: NDArray[np.uint8], stamp: float, hand: Landmarks
) -> _Remembered:
    size, colour = hand.size, colour_of(image, hand.pixels)
    if before is None:
        return _Remembered(hand, stamp, np.zeros(2), size, colour)
    velocity = (hand.centre - before.last.centre) / max(stamp - before.stamp, 1e-3)
    mixed = before.colour + _SHARE * (colour - before.colour)
    known = np.where(np.isnan(before.colour), colour, before.colour)
    return _Remembered(
        hand,
        stamp,
        velocity,
        before.size + _SHARE * (size - before.size),
        np.where(np.isnan(mixed), known, mixed),
    )


def _distinct(met: Sequence[Landmarks], known: Iterable[Landmarks]) -> list[Landmarks]:
    """Hands that are surely there, each once, away from those that are known."""
    found: list[Landmarks] = []
    for hand in met:
        sure = hand.presence > _SURE and credible(hand)
        if sure and all(hand.distance(other) > _FAR for other in (*known, *found)):
            found.append(hand)
    return found
