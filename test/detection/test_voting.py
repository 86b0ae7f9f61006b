"""What many findings of the hands in a picture agree on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from seen_hands import CAMERA, landmarks_of, open_hand, shifted

from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.voting import credible, elect

VOTES = 0.6


def at(x: float, right: float, presence: float = 0.9, size: float = 1.0) -> Landmarks:
    return landmarks_of(shifted(open_hand(size=size), x), CAMERA, right, presence)


def sides_of(*findings: Landmarks, known: dict[str, Landmarks] | None = None) -> list[str]:
    return sorted(elect(findings, known or {}, VOTES))


def test_the_hands_of_both_sides_are_where_most_findings_have_them() -> None:
    left, right = (at(x, r) for x, r in ((-0.15, 0.1), (0.15, 0.9)))
    wrong = replace(right, pixels=right.pixels + 15)
    elected = elect([left, left, right, right, wrong], {}, VOTES)
    assert np.allclose(elected["left"].hand.pixels, left.pixels)
    assert np.allclose(elected["right"].hand.pixels, right.pixels)
    assert elected["right"].votes > elected["left"].votes


def test_one_hand_that_some_take_for_the_other_side_is_one_hand() -> None:
    assert sides_of(at(0, 0.9), at(0.001, 0.9), at(0.002, 0.2)) == ["right"]


def test_of_two_hands_that_both_seem_right_the_less_sure_one_is_the_left() -> None:
    elected = elect([at(-0.15, 0.6), at(-0.15, 0.6), at(0.15, 0.95), at(0.15, 0.95)], {}, VOTES)
    assert elected["left"].hand.centre[0] < elected["right"].hand.centre[0]


def test_a_second_hand_that_is_surely_of_the_same_side_is_somebody_else_s() -> None:
    assert sides_of(at(-0.15, 0.99), at(0.15, 0.99), at(0.15, 0.99)) == ["right"]


def test_two_hands_that_are_seen_well_are_one_of_each_side() -> None:
    both = [at(-0.15, 0.9)] * 4 + [at(0.15, 0.97)] * 4
    elected = elect(both, {}, VOTES)
    assert elected["left"].hand.centre[0] < elected["right"].hand.centre[0]


def test_a_wrong_look_at_the_first_hand_is_no_second_one() -> None:
    hand, apart = at(0, 0.95), [at(0.3, 0.1, size=0.8)] * 3
    wrong = hand.extent * 0.2 * np.array([1.0, 0.0])
    beside = [replace(hand, pixels=hand.pixels + wrong, right=0.05)] * 3
    assert sides_of(*[hand] * 4, *beside) == ["right"]
    elected = elect([hand] * 4 + beside + apart, {}, VOTES)
    assert np.allclose(elected["left"].hand.pixels, apart[0].pixels)


def test_of_two_people_the_nearer_one_is_taken() -> None:
    far = [at(x, r, size=0.4) for x, r in ((-0.25, 0.1), (-0.1, 0.9)) for _ in range(3)]
    near = [at(x, r) for x, r in ((0.05, 0.1), (0.25, 0.9)) for _ in range(2)]
    for findings in (far + near, near + far):
        elected = elect(findings, {}, VOTES)
        assert all(it.hand.extent > 100 for it in elected.values()) and len(elected) == 2


def test_what_is_known_already_is_not_found_again() -> None:
    known = {"right": at(0.1, 0.9)}
    assert sides_of(at(0.101, 0.3), at(0.1, 0.9), known=known) == []
    assert sides_of(at(-0.1, 0.99), known=known) == []
    assert sides_of(at(-0.1, 0.3), at(0.1, 0.9), known=known) == ["left"]


@pytest.mark.parametrize("presence", [0.0, 0.2])
def test_what_is_hardly_there_has_no_vote(presence: float) -> None:
    assert sides_of(*[at(0, 0.9, presence)] * 20) == []


def test_joints_that_are_no_hand_s_are_not_believed() -> None:
    hand = at(0, 0.9)
    assert credible(hand)
    shuffled = np.random.default_rng(0).permutation(21)
    assert not credible(replace(hand, pixels=hand.pixels[shuffled]))
    assert elect([], {}, VOTES) == {}


def test_of_a_second_hand_that_may_be_anybody_s_the_one_of_the_same_skin_is_found() -> None:
    left, others, own = [at(-0.15, 0.05)] * 2, [at(0.1, 0.95)] * 2, [at(0.18, 0.95)] * 2
    findings = left + others + own

    def colour(hand: Landmarks) -> np.ndarray:
        return np.array([0.3, 0.3 if hand is others[0] else 0.2])

    alike = elect(findings, {}, VOTES)["right"].hand
    assert np.allclose(alike.pixels, others[0].pixels)
    found = elect(findings, {}, VOTES, colour)["right"].hand
    assert np.allclose(found.pixels, own[0].pixels)


@pytest.mark.parametrize("other", [0.9, np.nan])
def test_a_gloved_hand_or_one_without_a_colour_is_found_beside_a_bare_one(other) -> None:
    bare, gloved = [at(-0.15, 0.05)] * 2, [at(0.15, 0.95)] * 2

    def colour(hand: Landmarks) -> np.ndarray:
        return np.full(2, 0.3 if hand is bare[0] else other)

    assert sorted(elect(bare + gloved, {}, VOTES, colour)) == ["left", "right"]
