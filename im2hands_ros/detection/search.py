"""Both hands of one person in a picture of which nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.hand_pairs import HandPairs, confirmed, landmarks_of
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.palms import Palm, PalmDetector
from im2hands_ros.detection.skin_colour import colour_of, may_be_one_skin
from im2hands_ros.detection.views import (
    AREA_ROUNDS,
    PICTURE_ROUNDS,
    Turn,
    picture_views,
    rounds,
    tiles,
)
from im2hands_ros.detection.voting import (
    APART,
    SAME,
    Elected,
    elect,
    side_probabilities,
)
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder, LandmarkEncoder
from im2hands_ros.networks.compact.landmark_regions import region_of
from im2hands_ros.skeleton import SIDES

# The last one is for what the views have not found: a second hand beside the first, or small ones.
ROUNDS = len(PICTURE_ROUNDS) + len(AREA_ROUNDS) + 1
LEAST_VOTES = 0.6
_AGREED = 1.5  # votes of a hand from which on no more are needed
_SURE_SIDES = 0.9  # probability that both hands are of their sides, from which on the same holds
_MOST_REGIONS = 4  # of a round
_SEEN_AGAIN = 0.05  # of a hand's extent: a hand that was seen so near by is not looked at again
_PALM = 0.4  # score of a palm by itself
_FAINT = 0.05  # presence from which a second look may find a hand


class _Evidence(NamedTuple):
    """Palms that were looked at, what was seen there, and around which of it once more."""

    palms: list[Palm]
    findings: list[Landmarks]
    seen_again: list[Landmarks]


class HandSearch:
    """Palms of several views, the landmark network's findings around each, and their vote.

    Args:
        palms: finds where to look. landmarks: says what is there.
        conditioned: tells the joints of two hands apart once both are found.
        second: finds the second hand beside the first, trained for that alone.
    """

    def __init__(
        self,
        palms: PalmDetector,
        landmarks: LandmarkEncoder,
        conditioned: ConditionedEncoder,
        second: ConditionedEncoder,
    ) -> None:
        self._palms, self._landmarks, self._conditioned = palms, landmarks, conditioned
        self._pairs = HandPairs(landmarks, conditioned, second)

    def search(
        self,
        image: NDArray[np.uint8],
        known: Mapping[str, Landmarks],
        part: int | None = None,
        may_be: Callable[[str, Landmarks], bool] | None = None,
    ) -> dict[str, Landmarks]:
        """The hands of a picture that are not known, by side; see `elect`.

        Args:
            image: (H, W, 3) uint8 RGB, not mirrored.
            known: hands that are found already.
            part: run the round of views of this number only (any whole number); None: all of them
                until both hands are found.
            may_be: whether a hand can be the one of a side that is searched for; None: any can.
        """
        missing = [side for side in SIDES if side not in known]

        def is_searched(hand: Landmarks) -> bool:
            return may_be is None or any(may_be(side, hand) for side in missing)

        def colour(hand: Landmarks) -> FloatArray:
            return colour_of(image, hand.pixels)

        def elected_now() -> dict[str, Elected]:
            return elect(list(filter(is_searched, evidence.findings)), known, LEAST_VOTES, colour)

        evidence = _Evidence([], [], [])
        steps = rounds(evidence.findings, known, image.shape[:2])
        elected: dict[str, Elected] = {}
        for number, views in enumerate(steps):
            if part is not None and number != part % ROUNDS:
                continue
            self._look(image, views(), evidence)
            elected = elected_now()
            hands = {**known, **{side: it.hand for side, it in elected.items()}}
            if _agreed(elected, known) and may_be_one_skin(list(map(colour, hands.values()))):
                break
        last = part is None or part % ROUNDS == ROUNDS - 1
        if last and not elected and not known:
            self._look(image, list(tiles(image.shape[:2])), evidence)
            elected = elected_now()
        hands = self._pairs.told_apart(image, known, self._settled(image, elected))
        if not last:
            return hands
        both = self._pairs.with_second(image, known, hands, evidence.findings)
        new = [
            hand
            for side, hand in both.items()
            if side not in hands or hand.distance(hands[side]) > SAME
        ]
        return both if all(map(is_searched, new)) else hands

    def see(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]:
        """The hands around (21, 2) joints, pixels, by the side that they are believed to be of."""
        return {
            side: landmarks_of(it) for side, it in self._landmarks.see(image, joints_px).items()
        }

    def see_pair(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]:
        """As `see`, by the network conditioned on both: better joints of clasped hands,
        but presence and side follow what is believed."""
        seen = self._conditioned.see(image, joints_px)
        return {side: landmarks_of(it) for side, it in seen.items()}

    def palms(self, image: NDArray[np.uint8]) -> list[FloatArray]:
        """(2,) middles of the hands that a look at the whole picture shows, pixels; anybody's."""
        view = picture_views(image.shape[:2], (Turn(0, False),))
        return [palm.middle for palm in self._palms(image, view) if palm.score > _PALM]

    def _look(
        self, image: NDArray[np.uint8], views: Sequence[FloatArray], evidence: _Evidence
    ) -> None:
        """Add what these views show: seen around the palm, and around what that shows."""
        palms: list[Palm] = []
        for palm in self._palms(image, views):
            if not any(palm.is_like(other) for other in (*evidence.palms, *palms)):
                palms.append(palm)
        palms = palms[:_MOST_REGIONS]
        # The trained network knows clasped hands, the original one knows real ones: both vote.
        first = [
            landmarks_of(it) for it in self._conditioned.alone(image, [p.region for p in palms])
        ]
        first = [hand for hand in first if hand.presence > _FAINT]
        new: list[Landmarks] = []
        for hand in first:
            if not any(_alike(hand, other) for other in (*evidence.seen_again, *new)):
                new.append(hand)
        again = self._landmarks(image, [region_of(hand.pixels, hand.right < 0.5) for hand in new])
        evidence.palms.extend(palms)
        evidence.seen_again.extend(new)
        evidence.findings.extend([*first, *map(landmarks_of, again)])

    def _settled(
        self, image: NDArray[np.uint8], elected: dict[str, Elected]
    ) -> dict[str, Landmarks]:
        """The hands as seen around what was elected, where that confirms it."""
        around = {side: it.hand.pixels for side, it in elected.items()}
        last = self.see(image, around)
        hands = {side: confirmed(elected[side].hand, last[side]) for side in last}
        if len(hands) == len(SIDES) and hands["left"].distance(hands["right"]) < APART:
            # Both looks ended at one hand.
            weaker = min(SIDES, key=lambda side: elected[side].votes * hands[side].is_of(side))
            del hands[weaker]
        return hands


def _alike(hand: Landmarks, other: Landmarks) -> bool:
    """Whether the landmark network would look at two hands in about the same region."""
    return hand.distance(other) < _SEEN_AGAIN and (hand.right < 0.5) == (other.right < 0.5)


def _agreed(elected: Mapping[str, Elected], known: Mapping[str, Landmarks]) -> bool:
    hands = {side: it.hand for side, it in elected.items()}
    return (
        len(hands) + len(known) == len(SIDES)
        and all(it.votes >= _AGREED for it in elected.values())
        and min(side_probabilities({**known, **hands}).values()) >= _SURE_SIDES
    )
