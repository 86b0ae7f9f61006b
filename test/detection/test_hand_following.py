"""Hands from frame to frame: each where it was, none that becomes the other, sides that stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from seen_hands import CAMERA, PerfectFinder, landmarks_of, open_hand, shifted

from im2hands_ros.detection.following import PATIENCE, HandFollower
from im2hands_ros.detection.landmarks import Landmarks

PICTURE = np.zeros((480, 640, 3), np.uint8)
# Frames within which each of two hands is judged by itself.
TURN = 4
PLACES = {"left": -0.15, "right": 0.15}


def hand(side: str, right: float | None = None, x: float = 0.0, presence: float = 1.0) -> Landmarks:
    joints = shifted(open_hand(), PLACES[side] + x)
    return landmarks_of(
        joints, CAMERA, float(side == "right") if right is None else right, presence
    )


def both() -> dict[str, Landmarks]:
    return {side: hand(side) for side in PLACES}


class Film(PerfectFinder):
    """A finder whose hands are set from frame to frame."""

    def __init__(self, hands: Mapping[str, Landmarks]) -> None:
        self.shown = dict(hands)
        super().__init__(lambda image: self.shown)
        self.judged: list[tuple[str, ...]] = []

    def see(self, image, joints_px):
        self.judged.append(tuple(joints_px))
        return super().see(image, joints_px)

    def see_pair(self, image, joints_px):
        return PerfectFinder.see(self, image, joints_px)


class Credulous(Film):
    """Its look at two hands finds both wherever they are believed to be."""

    def see_pair(self, image, joints_px):
        return {side: replace(hand(side), pixels=joints) for side, joints in joints_px.items()}


@pytest.fixture
def film() -> Film:
    return Film(both())


def run(follow: HandFollower, start: float, frames: int = 1) -> dict[str, Landmarks]:
    for frame in range(frames):
        hands = follow(PICTURE, start + frame / 30)
    return hands


def test_hands_that_are_there_are_not_searched_for_again(film) -> None:
    follow = HandFollower(film)
    assert set(run(follow, 1.0, 4)) == {"left", "right"}
    assert film.searches == [((), None)]


def test_each_of_two_hands_is_judged_by_itself_once_in_four_frames(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0, 1 + 2 * TURN)
    assert sorted(side for sides in film.judged for side in sides) == ["left"] * 2 + ["right"] * 2
    assert max(len(sides) for sides in film.judged) == 1


def test_a_hand_that_is_only_believed_in_is_dropped() -> None:
    film = Credulous(both())
    follow = HandFollower(film)
    run(follow, 1.0)
    del film.shown["left"]
    assert set(run(follow, 1.1, TURN)) == {"right"}


def test_two_hands_that_are_given_are_both_judged_at_once(film) -> None:
    pixels = {side: each.pixels for side, each in film.shown.items()}
    film.shown["left"] = hand("left", presence=0.1)
    film.see_pair = lambda *_: both()
    film.search = lambda *_: {}
    assert set(HandFollower(film)(PICTURE, None, pixels)) == {"right"}
    assert film.judged == [("left", "right")]


def test_a_lost_hand_is_searched_for_by_another_round_each_frame(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0)
    del film.shown["left"]
    assert set(run(follow, 1.1, 3)) == {"right"}
    assert [known for known, _ in film.searches[1:]] == [("right",)] * 3
    assert len({part for _, part in film.searches[1:]}) == 3
    film.shown["left"] = hand("left")
    assert set(run(follow, 1.2)) == {"left", "right"}


def test_without_search_the_upright_view_alone_is_repeated(film) -> None:
    follow = HandFollower(film, searches=False)
    run(follow, 1.0)
    del film.shown["left"]
    run(follow, 1.1, 3)
    assert [part for _, part in film.searches[1:]] == [0, 0, 0]


def test_a_hand_that_is_seen_in_both_places_does_not_take_the_other_s(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0)
    film.shown = {"left": hand("right"), "right": hand("right")}
    film.search = lambda *_: {}
    hands = run(follow, 1.1)
    assert set(hands) == {"right"}


def test_a_finding_far_from_where_the_hand_was_is_not_that_hand(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0)
    film.shown["left"] = hand("left", x=-0.25)
    film.search = lambda *_: {}
    assert set(run(follow, 1.1)) == {"right"}


@pytest.mark.parametrize("presence", [0.0, 0.2])
def test_a_hand_that_is_no_longer_there_is_not_kept(film, presence) -> None:
    follow = HandFollower(film)
    run(follow, 1.0)
    film.shown["left"] = hand("left", presence=presence)
    film.search = lambda *_: {}
    assert set(run(follow, 1.1)) == {"right"}


def test_sides_change_after_several_contradictions_in_a_row(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0, 3)
    exchanged = {"left": hand("left", 0.9), "right": hand("right", 0.1)}
    film.shown = exchanged
    assert run(follow, 1.1, PATIENCE - 1)["left"].centre[0] < 320
    film.shown = both()
    run(follow, 1.3, TURN)
    film.shown = exchanged
    frames = range(1, PATIENCE + 2 * TURN)  # one look of them may be at other people
    exchange = [n for n in frames if run(follow, 1.4 + n / 30)["left"].centre[0] > 320]
    assert exchange[0] >= PATIENCE


def test_one_of_two_hands_cannot_change_its_side_alone(film) -> None:
    follow = HandFollower(film)
    film.shown["left"] = hand("left", 0.9)
    hands = run(follow, 1.0, 4 * PATIENCE)
    assert hands["left"].centre[0] < hands["right"].centre[0]
    assert hands["left"].right > 0.85


def test_the_probability_of_a_side_is_averaged(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0, 5)
    film.shown["right"] = hand("right", 0.4)
    assert run(follow, 1.2)["right"].right > 0.7


@pytest.mark.parametrize("later", [60.0, -60.0], ids=["after a gap", "after a clock that jumps"])
def test_the_past_is_forgotten(film, later) -> None:
    follow = HandFollower(film)
    run(follow, 100.0, 3)
    run(follow, 100.0 + later)
    assert film.searches == [((), None)] * 2


def test_a_picture_by_itself_changes_nothing(film) -> None:
    follow = HandFollower(film)
    run(follow, 1.0, 2)
    shown, film.shown = film.shown, {}
    assert follow(PICTURE, None) == {}
    film.shown = shown
    run(follow, 1.1)
    assert film.searches == [((), None), ((), None)]


def test_joints_that_are_given_are_where_hands_are_looked_for(film) -> None:
    follow = HandFollower(film)
    moved = {side: hand(side, x=0.25) for side in PLACES}
    run(follow, 1.0)
    film.shown, film.search = moved, lambda *_: {}
    previous = {side: each.pixels for side, each in moved.items()}
    assert set(follow(PICTURE, 1.1, previous)) == {"left", "right"}


class Conditioned(Film):
    """Its look at two hands says how well they fit as of the sides that are believed."""

    fits = 5.0

    def see_pair(self, image, joints_px):
        def fit(side: str) -> float:
            swapped = np.mean(joints_px[side][:, 0] - 320) * PLACES[side] < 0
            return -self.fits if swapped else self.fits

        hands = super().see_pair(image, joints_px)
        return {side: replace(each, fits=fit(side)) for side, each in hands.items()}


@pytest.mark.parametrize(("fits", "swapped"), [(5.0, False), (-5.0, True)])
def test_sides_change_only_where_the_hands_fit_better_so(fits: float, swapped: bool) -> None:
    film = Conditioned(both())
    film.fits = fits
    follow = HandFollower(film)
    run(follow, 1.0)
    film.shown = {"left": hand("left", 0.9), "right": hand("right", 0.1)}
    exchanged = [run(follow, 1.1 + n / 30)["left"].centre[0] > 320 for n in range(12)]
    assert any(exchanged) == swapped


def test_of_the_hands_that_are_found_beside_a_followed_one_those_of_its_side_are_left_out(
    film,
) -> None:
    follow = HandFollower(film)
    run(follow, 1.0)
    del film.shown["left"]
    for right, count in ((0.8, 1), (0.2, 2)):
        film.search = lambda *_, right=right: {"left": hand("left", right, x=-0.02)}
        assert len(run(follow, 1.1)) == count


def test_a_hand_that_fits_worse_than_nothing_for_long_is_dropped() -> None:
    film = Conditioned(both())
    follow = HandFollower(film)
    run(follow, 1.0, 3)
    film.fits, film.search = -2.0, lambda *_: {}
    assert len(run(follow, 1.1)) == 2
    assert any(len(run(follow, 1.2 + n / 30)) < 2 for n in range(20))
