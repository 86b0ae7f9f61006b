"""Hands that were found, seen again by the network conditioned on both: which there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.belonging import SECOND_WEIGHTS, belonging
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.second_hand import (
    alike_in_size,
    candidates,
    fit_better,
    looked_at,
    other_side,
)
from im2hands_ros.detection.voting import APART, LEAST_PRESENCE, SAME, credible
from im2hands_ros.networks.compact.landmark_encoder import (
    ConditionedEncoder,
    LandmarkEncoder,
    Look,
    SeenHand,
)
from im2hands_ros.networks.compact.landmark_regions import region_of
from im2hands_ros.skeleton import SIDES

# Logarithms of the odds: from which on a candidate is a second hand; below which what was elected
# is none, and below which it gives way to a candidate.
_SECOND, _NONE, _DOUBTFUL = 0.5, -1.5, 1.5
# Degrees: of split `val`, three turns take 4 % off the error of the joints, eleven turned, shifted
# and sized crops 5 %; the mirrored crop and turns of 30 degrees are worse by themselves.
_TURNS = (0.0, 15.0, -15.0)


class HandPairs:
    """Tells the hands of a picture apart.

    Args:
        landmarks: says what is there, whatever is believed. conditioned: sees each of two.
        second: finds a second hand from a guess.
    """

    def __init__(
        self,
        landmarks: LandmarkEncoder,
        conditioned: ConditionedEncoder,
        second: ConditionedEncoder,
    ) -> None:
        self._landmarks, self._conditioned, self._second = landmarks, conditioned, second

    def told_apart(
        self, image: NDArray[np.uint8], known: Mapping[str, Landmarks], new: dict[str, Landmarks]
    ) -> dict[str, Landmarks]:
        """The new hands, with joints that are seen knowing of all; exchanged, where all of them
        are seen better so, and without one that is none."""
        if not new:
            return new
        seen = self._seen(image, {**known, **new})
        # `fits` was learned of hands beside others: of one alone it does not tell the side.
        if not known and len(new) == len(SIDES):
            turned = {other_side(side): hand.pixels for side, hand in seen.items()}
            exchanged = self._conditioned.see(image, turned)
            # What is no hand says nothing about the other one's side.
            if fit_better(exchanged, seen) and self._none_of(image, exchanged, exchanged) is None:
                seen = exchanged
                new = {other_side(side): hand.mistaken() for side, hand in new.items()}
        return self._confirmed(image, new, seen, new)

    def with_second(
        self,
        image: NDArray[np.uint8],
        known: Mapping[str, Landmarks],
        new: dict[str, Landmarks],
        findings: Iterable[Landmarks],
    ) -> dict[str, Landmarks]:
        """The new hands and, where one of all is missing or doubtful, what is seen well enough in
        its place.

        Args:
            findings: what was seen anywhere.
        """
        one = self._but_doubtful(image, known, new)
        if len(one) != 1:
            return new
        ((side, first),) = one.items()
        second = self._found_beside(image, side, first, findings)
        if second is None:
            return new
        new = {**new, other_side(side): second}
        seen = self._seen(image, {**known, **new})
        return self._confirmed(image, new, seen, {side} - set(known))

    def _but_doubtful(
        self, image: NDArray[np.uint8], known: Mapping[str, Landmarks], new: dict[str, Landmarks]
    ) -> dict[str, Landmarks]:
        """All hands without the new one of two that is less likely, if that is doubtful."""
        hands = {**known, **new}
        if len(hands) < len(SIDES) or not new:
            return hands
        odds = self._belonging(image, {side: it.pixels for side, it in hands.items()}, new)
        worst = min(odds, key=odds.__getitem__)
        return {s: it for s, it in hands.items() if s != worst or odds[s] >= _DOUBTFUL}

    def _found_beside(
        self, image: NDArray[np.uint8], side: str, first: Landmarks, findings: Iterable[Landmarks]
    ) -> Landmarks | None:
        chosen = candidates(first, side, findings)
        other, second, best = other_side(side), None, _SECOND
        seen = looked_at(self._second, image, side, first, chosen)
        seen = [hand for hand in seen if _new(hand, first)]
        looks = [Look(other, {side: first.pixels, other: hand.pixels}) for hand in seen]
        regions = [region_of(hand.pixels, other == "left") for hand in seen]
        again, alone = self._conditioned(image, looks), self._landmarks(image, regions)
        for hand, looked, unhinted in zip(seen, again, alone, strict=True):
            odds = belonging(hand, looked, unhinted, first.pixels, SECOND_WEIGHTS)
            if odds > best:
                second, best = landmarks_of(hand), odds
        return second

    def _seen(
        self, image: NDArray[np.uint8], hands: Mapping[str, Landmarks]
    ) -> dict[str, SeenHand]:
        """Hands by the network conditioned on both, the second time of where it saw them, and
        averaged over turned crops."""
        once = self._conditioned.see(image, {side: hand.pixels for side, hand in hands.items()})
        around = {side: hand.pixels for side, hand in once.items()}
        looks = [Look(side, around, turn) for side in around for turn in _TURNS]
        seen, count = self._conditioned(image, looks), len(_TURNS)
        return {
            side: _averaged(seen[index * count : (index + 1) * count])
            for index, side in enumerate(around)
        }

    def _confirmed(
        self,
        image: NDArray[np.uint8],
        new: Mapping[str, Landmarks],
        seen: Mapping[str, SeenHand],
        judged: Collection[str],
    ) -> dict[str, Landmarks]:
        """The new hands as they are seen, without one that is none; judged: the sides of those that
        can be none."""
        new = {side: confirmed(hand, landmarks_of(seen[side])) for side, hand in new.items()}
        none = self._none_of(image, seen, judged) if judged else None
        return {side: hand for side, hand in new.items() if side != none}

    def _none_of(
        self, image: NDArray[np.uint8], seen: Mapping[str, SeenHand], sides: Iterable[str]
    ) -> str | None:
        """Which of these sides' hands is none; None: all are hands."""
        odds = self._belonging(image, {side: it.pixels for side, it in seen.items()}, sides)
        worst = min(odds, key=odds.__getitem__)
        return worst if odds[worst] < _NONE or _upon_each_other(seen) else None

    def _belonging(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray], sides: Iterable[str]
    ) -> dict[str, float]:
        """Of these sides' hands; joints_px: (21, 2) of all."""
        again = self._second.see(image, joints_px)
        alone = self._landmarks.see(image, {side: joints_px[side] for side in sides})
        return {
            side: belonging(
                again[side]._replace(pixels=joints_px[side]),
                again[side],
                unhinted,
                joints_px.get(other_side(side)),
            )
            for side, unhinted in alone.items()
        }


def landmarks_of(seen: SeenHand) -> Landmarks:
    """A finding of the landmark network."""
    return Landmarks(seen.pixels, seen.relief, seen.shape, seen.right, seen.presence, seen.fits)


def confirmed(elected: Landmarks, last: Landmarks) -> Landmarks:
    """The last look at a hand, judged as it was elected, where it shows that hand."""
    same = elected.distance(last) < SAME and last.presence > LEAST_PRESENCE
    return last.judged_as(elected) if same else elected


def _new(seen: SeenHand, first: Landmarks) -> bool:
    hand = landmarks_of(seen)
    return credible(hand) and hand.distance(first) > SAME and alike_in_size(first, hand)


def _upon_each_other(seen: Mapping[str, SeenHand]) -> bool:
    hands = [landmarks_of(seen[side]) for side in SIDES if side in seen]
    return len(hands) == len(SIDES) and hands[0].distance(hands[1]) < APART


def _averaged(seen: Sequence[SeenHand]) -> SeenHand:
    """One hand as it is seen in several crops."""
    presence, right, fits = np.mean([(it.presence, it.right, it.fits) for it in seen], axis=0)
    return SeenHand(
        np.mean([hand.pixels for hand in seen], axis=0),
        np.mean([hand.relief for hand in seen], axis=0),
        np.mean([hand.shape for hand in seen], axis=0),
        float(presence),
        float(right),
        fits=float(fits),
    )
