"""Which hands of a pair there are, and of which sides, from what two networks see."""

from __future__ import annotations

import numpy as np
import pytest
from ball_scenes import BallScenes

from im2hands_ros.detection.hand_pairs import HandPairs, landmarks_of
from im2hands_ros.networks.compact.landmark_encoder import Look, SeenHand
from im2hands_ros.training.landmark_batches import in_picture

IMAGE = np.zeros((8, 8, 3), np.uint8)
SHAPE = in_picture(BallScenes(1)[0])["left"][:, :2]
PLACES = {"left": SHAPE, "right": SHAPE + (150, 0)}


def seen(pixels, fits: float = 2.0, presence: float = 0.9, right: float = 0.5) -> SeenHand:
    return SeenHand(pixels, np.zeros(21), np.zeros((21, 3)), presence, right, None, fits)


class FitsWhere:
    """The network conditioned on both hands: hands fit by their place and side."""

    def __init__(self, fits: dict[tuple[str, str], float]) -> None:
        self.fits = fits

    def see(self, image, joints_px):
        return {side: self._one(side, pixels) for side, pixels in joints_px.items()}

    def __call__(self, image, looks):
        return [self._one(look.side, look.joints_px[look.side]) for look in looks]

    def _one(self, side, pixels):
        place = "left" if np.allclose(pixels, PLACES["left"]) else "right"
        return seen(pixels, self.fits[place, side])


class PresentWhere:
    """The unconditioned network: presence by place."""

    def __init__(self, presence: dict[str, float]) -> None:
        self.presence = presence

    def see(self, image, joints_px):
        return {
            side: seen(pixels, presence=self.presence[place])
            for side, pixels in joints_px.items()
            for place in PLACES
            if np.allclose(pixels, PLACES[place])
        }


EXCHANGED_FIT_BETTER = {
    ("left", "left"): 2.0,
    ("right", "right"): 2.0,
    ("left", "right"): 4.0,
    ("right", "left"): 4.0,
}


def told_apart(fits: dict, presence: dict, given: tuple = tuple(PLACES)) -> dict[str, str]:
    """Side -> the place of the hand that it was given."""
    pairs = HandPairs(PresentWhere(presence), FitsWhere(fits), FitsWhere(fits))
    new = {side: landmarks_of(seen(pixels)) for side, pixels in PLACES.items() if side in given}
    hands = pairs.told_apart(IMAGE, {}, new)
    return {
        side: "left" if np.allclose(hand.pixels, PLACES["left"]) else "right"
        for side, hand in hands.items()
    }


def test_hands_that_fit_clearly_better_exchanged_are_of_the_other_sides() -> None:
    found = told_apart(EXCHANGED_FIT_BETTER, {"left": 0.9, "right": 0.9})
    assert found == {"left": "right", "right": "left"}


def test_hands_that_fit_as_they_are_keep_their_sides() -> None:
    fits = {(place, side): 4.0 if place == side else 2.0 for place in PLACES for side in PLACES}
    assert told_apart(fits, {"left": 0.9, "right": 0.9}) == {"left": "left", "right": "right"}


@pytest.mark.parametrize("none", PLACES)
def test_what_is_no_hand_does_not_exchange_the_side_of_the_other_one(none) -> None:
    there = dict.fromkeys(PLACES, 0.9) | {none: 0.01}
    (kept,) = set(PLACES) - {none}
    assert told_apart(EXCHANGED_FIT_BETTER, there) == {kept: kept}


@pytest.mark.parametrize("side", PLACES)
def test_a_hand_alone_keeps_its_side(side) -> None:
    there = dict.fromkeys(PLACES, 0.9)
    assert told_apart(EXCHANGED_FIT_BETTER, there, (side,)) == {side: side}


WRONG = SHAPE + (75, 130)


class MovesTo:
    """The network for second hands: guesses end at one place; what is wrong does not fit."""

    def __init__(self, place: np.ndarray, fits: float) -> None:
        self.place, self.fits = place, fits

    def see(self, image, joints_px):
        return {
            side: seen(pixels, -5.0 if np.allclose(pixels, WRONG) else 4.0)
            for side, pixels in joints_px.items()
        }

    def __call__(self, image, looks):
        return [seen(self.place, self.fits) for _ in looks]


class SeesWhatIsThere:
    """Both other networks: joints are seen where they are looked for, in regions where they are."""

    def see(self, image, joints_px):
        return {side: seen(pixels) for side, pixels in joints_px.items()}

    def __call__(self, image, looks):
        known = [look.joints_px[look.side] if isinstance(look, Look) else None for look in looks]
        return [seen(PLACES["right"] if pixels is None else pixels) for pixels in known]


def with_second(second, known: tuple = ()) -> dict[str, np.ndarray]:
    """Of a left hand in its place and a right one in a wrong place, the new ones."""
    hands = {"left": landmarks_of(seen(PLACES["left"])), "right": landmarks_of(seen(WRONG))}
    pairs = HandPairs(SeesWhatIsThere(), SeesWhatIsThere(), second)
    new = {side: hand for side, hand in hands.items() if side not in known}
    found = pairs.with_second(IMAGE, {side: hands[side] for side in known}, new, [])
    return {side: hand.pixels for side, hand in found.items()}


def test_a_doubtful_hand_gives_way_to_a_better_one() -> None:
    hands = with_second(MovesTo(PLACES["right"], 4.0))
    assert np.allclose(hands["right"], PLACES["right"])
    assert np.allclose(hands["left"], PLACES["left"])


def test_a_doubtful_hand_stays_where_nothing_better_is_found() -> None:
    assert np.allclose(with_second(MovesTo(PLACES["right"], -5.0))["right"], WRONG)


def test_a_hand_that_was_known_is_not_doubted() -> None:
    hands = with_second(MovesTo(PLACES["right"], 4.0), known=("right",))
    assert set(hands) == {"left"} and np.allclose(hands["left"], PLACES["left"])
