"""Both hands of one person from frame to frame: each seen where it was, searched for where lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.same_person import PersonMemory
from im2hands_ros.detection.voting import APART, LEAST_PRESENCE, credible
from im2hands_ros.skeleton import SIDES

T = TypeVar("T")
# Whether a hand can be the one of a side that is looked for.
MayBe = Callable[[str, Landmarks], bool]

LONGEST_GAP = 0.5
"""Seconds between two frames; after a longer one, or a step back, nothing is known any more."""
# Looks in a row at which a hand must look like one of the other side before it is called so.
PATIENCE = 5
_SHARE = 0.3  # of a new frame in a hand's running probability of its side
# Logarithms of the odds that a hand is the one that was meant, by the network conditioned on both.
# From this one on it is kept, whatever its proportions: seen edge-on, a hand has odd ones.
_FITS = 2.0
_UNFIT = -0.5  # the same in the mean of frames, from which on down it is dropped
# Of both hands together, by which they must be seen better as of the other sides to change them.
_BETTER = 2.0
# Of a hand's extent: how far its middle may move between frames, or a hand nearby was seen instead.
_REACH = 0.7
_LOOK_FOR_OTHERS = 12  # frames, in one of which palms are looked for, instead of a hand judged
_SEEN_WELL = 0.7  # presence from which on a followed hand is kept, whatever its proportions


class HandFinder(Protocol):
    """Finds hands in single pictures, as `search.HandSearch` does."""

    def search(
        self,
        image: NDArray[np.uint8],
        known: Mapping[str, Landmarks],
        part: int | None = None,
        may_be: MayBe | None = None,
    ) -> dict[str, Landmarks]: ...

    def see(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]: ...

    def see_pair(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]: ...

    def palms(self, image: NDArray[np.uint8]) -> list[FloatArray]: ...


@dataclass
class _Followed:
    """last: as it was seen last; right: running probability; contradictions: looks in a row that
    tell sides; fits: running mean."""

    last: Landmarks
    right: float
    contradictions: int = 0
    fits: float = 0.0


class HandFollower:
    """Gives the hands of each frame; for one thread.

    Args:
        finder: sees and finds hands in pictures.
        searches: whether hands that are lost in a video are searched for by turned views, two a
            frame; else by one upright view.
    """

    def __init__(self, finder: HandFinder, searches: bool = True) -> None:
        self._finder, self._searches = finder, searches
        self._hands: dict[str, _Followed] = {}
        self._stamp: float | None = None
        self._part = 0
        self._frame = 0
        self._unjudged: frozenset[str] = frozenset()
        self._person = PersonMemory()

    def __call__(
        self,
        image: NDArray[np.uint8],
        stamp: float | None,
        previous: Mapping[str, FloatArray] | None = None,
    ) -> dict[str, Landmarks]:
        """The hands of the next frame by side; ``right`` is averaged over frames.

        Args:
            image: (H, W, 3) uint8 RGB, not mirrored.
            stamp: seconds; None: a picture by itself, which changes nothing for later frames.
            previous: side -> (21, 2) pixels where that hand is believed to be; None: where it was
                found last.
        """
        if stamp is None:
            hands = self._seen(image, dict(previous or {}), {})
            return hands | self._finder.search(image, hands)
        fresh = self._stamp is None or not 0 <= stamp - self._stamp < LONGEST_GAP
        if fresh:
            self._hands = {}
            self._person.forget()
        self._stamp = stamp
        self._frame, self._unjudged = self._frame + 1, frozenset()
        around = self._person.places(stamp) if self._hands else {}
        around |= {side: hand.last.pixels for side, hand in self._hands.items()}
        given = dict(previous or {})
        goes_on = partial(self._person.goes_on, image, stamp)
        hands = self._seen(image, around | given, self._hands)
        hands = {side: hand for side, hand in hands.items() if goes_on(side, hand, given.get(side))}
        if len(hands) < len(SIDES):
            may_be = partial(self._person.may_be, image, stamp)
            part = None if fresh else self._next_part()
            found = self._of_the_person(self._finder.search(image, hands, part, may_be), may_be)
            # Beside a hand that is followed, one of the other side: not another person's.
            hands |= found if not hands else _of_their_sides(found)
        hands = self._remember(image, hands)
        self._person.remember(image, stamp, hands)
        return hands

    @staticmethod
    def _of_the_person(found: dict[str, Landmarks], may_be: MayBe) -> dict[str, Landmarks]:
        """Those that can be the person's who was followed, as of the sides that they were."""
        kept = {side: hand for side, hand in found.items() if may_be(side, hand)}
        turned = {side: hand.mistaken() for side, hand in _exchanged(found).items()}
        turned = {side: hand for side, hand in turned.items() if may_be(side, hand)}
        return turned if len(turned) > len(kept) else kept

    def _next_part(self) -> int:
        self._part += self._searches
        return self._part

    def _seen(
        self,
        image: NDArray[np.uint8],
        around: Mapping[str, FloatArray],
        known: Mapping[str, _Followed],
    ) -> dict[str, Landmarks]:
        """Hands that are still where they are believed to be."""
        if not around:
            return {}
        paired = len(around) == len(SIDES)
        looks = self._pair(image, around, known) if paired else self._finder.see(image, around)
        hands = {
            side: hand
            for side, hand in looks.items()
            if _is_believable(hand, side in known)
            and _is_near(hand, around, side)
            # One that has long been seen worse than nothing is another person's, or none.
            and not (side in known and known[side].fits < _UNFIT)
        }
        if len(hands) == len(SIDES) and hands["left"].distance(hands["right"]) < APART:
            # One hand is seen twice: it is that whose side it is.
            del hands[min(SIDES, key=lambda side: hands[side].presence * hands[side].is_of(side))]
        return hands

    def _pair(
        self,
        image: NDArray[np.uint8],
        around: Mapping[str, FloatArray],
        known: Mapping[str, _Followed],
    ) -> dict[str, Landmarks]:
        """Both hands by the network conditioned on both; by turns, whether they are there and of
        their sides, by that which is not: the other one follows its prior joints."""
        pair = self._finder.see_pair(image, around)
        due = self._due(known)
        if len(due) == 1 and self._frame % _LOOK_FOR_OTHERS == 0:
            due = ()
            self._person.meet(self._stamp or 0.0, self._finder.palms(image))
        judged = self._finder.see(image, {side: pair[side].pixels for side in due})
        self._unjudged = frozenset(SIDES) - frozenset(due)
        return {
            side: hand
            if hand.presence < LEAST_PRESENCE
            else hand.judged_as(judged[side] if side in due else known[side].last)
            for side, hand in pair.items()
        }

    def _due(self, known: Mapping[str, _Followed]) -> tuple[str, ...]:
        """Sides to be judged in this frame: one every second frame, both while in doubt."""
        if len(known) < len(SIDES) or all(hand.contradictions for hand in known.values()):
            return SIDES
        return () if self._frame % 2 else (SIDES[self._frame // 2 % 2],)

    def _remember(
        self, image: NDArray[np.uint8], hands: dict[str, Landmarks]
    ) -> dict[str, Landmarks]:
        """Sides as they were, unless contradicted for long; the state of the next frame."""
        self._hands = {side: self._updated(side, hand) for side, hand in hands.items()}
        contradicted = [s for s, hand in self._hands.items() if hand.contradictions >= PATIENCE]
        # One of two hands is believed only together with the other.
        if contradicted and len(contradicted) == len(self._hands):
            if not self._fit_as_they_are(image, hands):
                hands = _exchanged(hands)
                self._hands = _exchanged(self._hands)
                self._person.exchange()
            for followed in self._hands.values():
                followed.contradictions = 0
        return {side: hand.said_right(self._hands[side].right) for side, hand in hands.items()}

    def _fit_as_they_are(self, image: NDArray[np.uint8], hands: dict[str, Landmarks]) -> bool:
        """Whether both hands are not seen clearly better as of the other sides: whether clasped
        hands are, a look at one of them alone cannot tell."""
        if len(hands) < len(SIDES):
            return False
        turned = _exchanged({side: hand.pixels for side, hand in hands.items()})
        other = self._finder.see_pair(image, turned)
        return sum(hands[s].fits - other[s].fits for s in SIDES) > -_BETTER

    def _updated(self, side: str, hand: Landmarks) -> _Followed:
        before = self._hands.get(side)
        if before is None:
            return _Followed(hand, hand.right)
        fits = before.fits
        if not math.isnan(hand.fits):
            fits += _SHARE * (hand.fits - fits)
        if side in self._unjudged:
            return _Followed(hand, before.right, before.contradictions, fits)
        right = before.right + _SHARE * (hand.right - before.right)
        contradictions = before.contradictions + 1 if hand.is_of(side) < 0.5 else 0
        return _Followed(hand, right, contradictions, fits)


def _exchanged(hands: Mapping[str, T]) -> dict[str, T]:
    """The same by the other sides."""
    return {SIDES[1 - SIDES.index(side)]: hand for side, hand in hands.items()}


def _of_their_sides(found: Mapping[str, Landmarks]) -> dict[str, Landmarks]:
    return {s: hand for s, hand in found.items() if hand.is_of(s) > 0.5 or hand.fits > _FITS}


def _is_believable(hand: Landmarks, followed: bool) -> bool:
    odd = hand.presence >= LEAST_PRESENCE and hand.fits > _FITS
    return credible(hand) or odd or (followed and hand.presence >= _SEEN_WELL)


def _is_near(hand: Landmarks, around: Mapping[str, FloatArray], side: str) -> bool:
    """Whether a hand is the one that was looked for, and not the other one beside it."""
    away = {
        each: np.linalg.norm(hand.pixels - joints, axis=1).mean() for each, joints in around.items()
    }
    own = np.linalg.norm(hand.centre - np.mean(around[side], axis=0))
    return bool(own < _REACH * hand.extent and min(away, key=away.__getitem__) == side)
