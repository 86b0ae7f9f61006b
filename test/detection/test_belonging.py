"""What tells joints on a hand from joints on the other one's fingers."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.detection.belonging import (
    SECOND_WEIGHTS,
    WEIGHTS,
    belonging,
    observations,
    share_within,
)
from im2hands_ros.networks.compact.landmark_encoder import (
    SECOND_HAND_WEIGHTS,
    ConditionedEncoder,
    LandmarkEncoder,
    Look,
    SeenHand,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

SHAPE = np.random.default_rng(0).uniform(0, 100, (21, 2))


def seen(pixels: np.ndarray, fits: float = 2.0, presence: float = 0.9, right: float = 0.1):
    return SeenHand(pixels, np.zeros(21), np.zeros((21, 3)), presence, right, None, fits)


def test_joints_within_the_other_hand_s_outline_are_counted() -> None:
    square = np.array([(0, 0), (0, 10), (10, 10), (10, 0), (5, 5)], float)
    points = np.array([(5, 5), (1, 9), (11, 5), (-1, -1)], float)
    assert share_within(points, square) == 0.5
    assert share_within(square, square) == 1


OTHER = SHAPE + (70, 0)


def odds(
    hand: SeenHand,
    again: SeenHand,
    alone: SeenHand,
    weights: tuple[float, ...],
    other: np.ndarray = OTHER,
) -> float:
    return belonging(hand, again, alone, other, weights)


@pytest.mark.parametrize("weights", [WEIGHTS, SECOND_WEIGHTS])
def test_each_sign_of_a_hand_raises_its_odds(weights) -> None:
    hand, aside = seen(SHAPE), seen(SHAPE + 20)
    best = odds(hand, hand, hand, weights)
    assert odds(seen(SHAPE, fits=0.0), hand, hand, weights) < best
    assert odds(hand, hand, seen(SHAPE, presence=0.2), weights) < best
    assert odds(hand, hand, aside, weights) < best
    assert odds(hand, aside, hand, weights) < best


def test_candidates_upon_the_other_hand_or_within_it_have_lower_odds() -> None:
    hand, within = seen(SHAPE), seen(0.3 * SHAPE + 110)
    best = odds(hand, hand, hand, SECOND_WEIGHTS)
    assert odds(hand, hand, hand, SECOND_WEIGHTS, SHAPE + (20, 0)) < best
    assert odds(within, within, within, SECOND_WEIGHTS, 2 * SHAPE + 30) < best


def test_where_no_hand_is_seen_without_hints_there_is_none() -> None:
    hand = seen(SHAPE, fits=9.0)
    assert belonging(hand, hand, hand) > 0
    assert belonging(hand, hand, seen(SHAPE, presence=0.05)) == -np.inf


def test_without_another_hand_it_is_as_one_far_away() -> None:
    hand = seen(SHAPE)
    far = observations(hand, hand, hand, SHAPE + 500)
    assert observations(hand, hand, hand, None) == far


def test_a_coinciding_hand_has_finite_observations() -> None:
    point = seen(np.zeros((21, 2)), right=1.0)
    assert np.isfinite(observations(point, point, point, np.zeros((21, 2)))).all()


@pytest.mark.parametrize("side", SIDES)
def test_a_hand_has_better_odds_than_one_upon_the_other_s_fingers(side) -> None:
    conditioned, landmarks = ConditionedEncoder.load(), LandmarkEncoder.load()
    second = ConditionedEncoder.load(SECOND_HAND_WEIGHTS)
    sequence = load_demo_sequence()
    frame = sequence.frames[30]
    true = {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}
    other = true[SIDES[1 - SIDES.index(side)]]
    small = 0.45 * (true[side] - true[side].mean(0)) + other[5:].mean(0)
    found = []
    for pixels in (true[side], small):
        looks = [Look(side, true | {side: pixels})]
        (hand,), (again,) = conditioned(frame.image, looks), second(frame.image, looks)
        hand = hand._replace(pixels=pixels, fits=again.fits)
        alone = landmarks.see(frame.image, {side: pixels})[side]
        found.append(belonging(hand, again, alone, other))
    assert found[0] > 0 and found[0] > found[1] + 2
