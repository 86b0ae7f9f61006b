"""Whether a hand that is found is the one that was lost, or another person's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from seen_hands import CAMERA, landmarks_of, open_hand, shifted

from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.same_person import PersonMemory

SKIN, OTHER_SKIN = (200, 150, 120), (200, 120, 70)
FRAME = 1 / 15


def seen(side: str = "left", x: float = -0.15, size: float = 1.0, fits: float = 3.0) -> Landmarks:
    joints = shifted(open_hand(size=size), x)
    return replace(landmarks_of(joints, CAMERA, float(side == "right"), 0.9), fits=fits)


def painted(colour: tuple[int, int, int] = SKIN) -> np.ndarray:
    return np.full((480, 640, 3), colour, np.uint8)


@pytest.fixture
def memory() -> PersonMemory:
    person = PersonMemory()
    for frame in range(2):
        person.remember(painted(), frame * FRAME, {"left": seen(), "right": seen("right", 0.15)})
    return person


def among_others(person: PersonMemory) -> PersonMemory:
    person.meet(FRAME, [np.array([30.0, 30.0])])
    return person


def test_a_hand_of_which_nothing_is_known_may_be_anybody_s() -> None:
    assert PersonMemory().may_be(painted(), 1.0, "left", seen(x=0.3))


def test_a_lost_hand_is_found_again_near_where_it_was(memory) -> None:
    assert memory.may_be(painted(), 2 * FRAME, "left", seen(x=-0.14))
    assert not memory.may_be(painted(), 2 * FRAME, "left", seen(x=-0.05))


def test_the_longer_it_is_lost_the_farther_away_it_may_be(memory) -> None:
    far = seen(x=-0.03)
    assert not memory.may_be(painted(), 2 * FRAME, "left", far)
    assert memory.may_be(painted(), 10 * FRAME, "left", far)


@pytest.mark.parametrize(
    ("hand", "colour"),
    [(seen(size=0.65), SKIN), (seen(), OTHER_SKIN)],
    ids=["another size", "another skin"],
)
def test_a_hand_that_looks_otherwise_is_not_that_hand(memory, hand, colour) -> None:
    assert not memory.may_be(painted(colour), 2 * FRAME, "left", hand)


def test_the_place_of_the_other_hand_is_not_that_of_the_lost_one() -> None:
    person = PersonMemory()
    hands = {"left": seen(x=-0.02), "right": seen("right", 0.02)}
    person.remember(painted(), 0.0, hands)
    assert person.may_be(painted(), FRAME, "left", seen(x=-0.02))
    assert not person.may_be(painted(), FRAME, "left", seen(x=0.015))


def test_alone_a_person_is_forgotten_soon_among_others_later(memory) -> None:
    anywhere = seen(x=0.1)
    memory.remember(painted(), 1.0, {})
    assert memory.may_be(painted(), 1.0, "left", anywhere)
    person = PersonMemory()
    person.remember(painted(), 0.0, {"left": seen(), "right": seen("right", 0.15)})
    among_others(person).remember(painted(), 1.0, {})
    assert not person.may_be(painted(), 1.0, "left", anywhere)


def test_a_third_hand_is_another_person_s(memory) -> None:
    third = seen(x=-0.38)
    memory.may_be(painted(), FRAME, "left", third)  # found, wherever it may belong
    memory.remember(painted(), FRAME, {"left": seen(), "right": seen("right", 0.15)})
    memory.remember(painted(), 1.5, {})
    assert not memory.may_be(painted(), 1.5, "right", seen("right", -0.1))


def test_a_palm_at_a_known_hand_is_nobody_else_s(memory) -> None:
    memory.meet(FRAME, [seen().centre])
    memory.remember(painted(), 1.5, {})
    assert memory.may_be(painted(), 1.5, "right", seen("right", -0.1))


def test_a_followed_hand_that_jumps_must_be_seen_clearly(memory) -> None:
    near = seen(x=-0.08)
    assert memory.goes_on(painted(), 2 * FRAME, "left", near)
    assert not memory.goes_on(painted(), 2 * FRAME, "left", replace(near, fits=0.0))
    assert not memory.goes_on(painted(), 2 * FRAME, "left", seen(x=0.0))


def test_where_it_is_given_a_hand_may_jump(memory) -> None:
    jumped = seen(x=0.0, fits=0.0)
    assert memory.goes_on(painted(), 2 * FRAME, "left", jumped, jumped.pixels)


def test_exchanged_hands_are_remembered_by_the_other_sides(memory) -> None:
    memory.exchange()
    assert memory.may_be(painted(), 2 * FRAME, "right", seen("right", -0.15))
    assert not memory.may_be(painted(), 2 * FRAME, "left", seen(x=-0.15))
