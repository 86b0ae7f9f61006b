"""Two people in view of a stream: the hands of one are kept while the other's cross behind them."""

from __future__ import annotations

import numpy as np
from two_people import Person, picture, whose

from im2hands_ros.detection import HandDetector
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

# Of 60 frames in which the second person's hands pass from the right to the left, these: the hand
# of the first that they cover is lost for one of them.
CROSSING = range(34, 39)


def test_a_covered_hand_is_not_taken_for_another_person_s() -> None:
    detector, camera = HandDetector.load(), load_demo_sequence().camera
    seen = []
    for number in CROSSING:
        beside = np.array([0.45 - 0.9 * number / 59, -0.06, 0.3])
        people = [Person(10 + number, np.zeros(3)), Person(70 - number, beside)]
        scene = picture(people, seed=3)
        hands = detector.detect(scene.image, camera, stamp=1 + number / 15)
        for side, hand in hands.items():
            if hand is not None:
                seen.append(whose(hand.keypoints_px, scene) == (0, side))
    assert all(seen) and len(seen) >= 2 * len(CROSSING) - 1
