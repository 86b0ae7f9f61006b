"""Two people in view of a stream: the hands of one are kept while the other's come and go."""

from __future__ import annotations

import numpy as np
import pytest
from two_people import Person, TwoPeople, picture, whose

from im2hands_ros.detection import HandDetector
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


def behind(number: int) -> TwoPeople:
    """Of 60 frames: the second person's hands pass from the right to the left."""
    beside = np.array([0.45 - 0.9 * number / 59, -0.06, 0.3])
    return picture([Person(10 + number, np.zeros(3)), Person(70 - number, beside)], seed=3)


def clasped(number: int) -> TwoPeople:
    """Of 48 frames: the same, nearer, both people's hands clasped."""
    time = number / 47
    beside = np.array([0.42 - 0.84 * time, -0.02, 0.25 - 0.15 * np.sin(np.pi * time)])
    return picture([Person(19 + number, np.zeros(3)), Person(46 + number, beside)], seed=1)


# In the first a hand is lost for a frame as it covers one of the other person's, in the second
# both are, one after the other.
@pytest.mark.parametrize(
    ("scenes", "numbers", "missed"), [(behind, range(34, 39), 1), (clasped, range(24, 33), 3)]
)
def test_hands_are_not_taken_for_another_person_s(scenes, numbers, missed) -> None:
    detector, camera = HandDetector.load(), load_demo_sequence().camera
    seen = []
    for number in numbers:
        scene = scenes(number)
        hands = detector.detect(scene.image, camera, stamp=1 + number / 15)
        for side, hand in hands.items():
            if hand is not None:
                seen.append(whose(hand.keypoints_px, scene) == (0, side))
    assert all(seen) and len(seen) >= 2 * len(numbers) - missed


def test_of_two_people_s_hands_those_beside_each_other_are_found() -> None:
    beside = np.array([-0.42, 0.01, 0.25])
    scene = picture([Person(35, np.zeros(3)), Person(23, beside)], seed=2)
    hands = HandDetector.load().detect(scene.image, load_demo_sequence().camera)
    found = {side: hand for side, hand in hands.items() if hand is not None}
    assert {whose(hand.keypoints_px, scene) for hand in found.values()} == {
        (0, "left"),
        (0, "right"),
    }
