"""A stream that stands still while the other goes on is named; a scene that stands still is not."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import CAMERA, keypoints, picture

from im2hands_ros.tracking.repeats import Repeats

HANDS, IMAGE = keypoints(), picture()


def hands(number: int) -> dict[str, np.ndarray]:
    return {side: xyz + np.float32(1e-6 * number) for side, xyz in HANDS.items()}


def image(number: int) -> np.ndarray:
    return np.roll(IMAGE, number, axis=0)


MOVES = {  # whether image and keypoints move -> what is said
    "both": (True, True, None),
    "the image": (True, False, "frozen_keypoints"),
    "the keypoints": (False, True, "frozen_image"),
    "neither": (False, False, None),
}


@pytest.mark.parametrize("moving", MOVES)
def test_what_stands_still_alone_for_a_second_is_named(moving):
    images, joints, kind = MOVES[moving]
    repeats = Repeats()
    found = [
        dict(repeats.check(image(number * images), hands(number * joints), CAMERA))
        for number in range(40)
    ]
    assert not any(found[:30])
    assert all(each.keys() == ({kind} if kind else set()) for each in found[30:])


def test_one_new_frame_ends_it():
    repeats = Repeats()
    for number in range(40):
        found = dict(repeats.check(image(number), hands(0), CAMERA))
    assert found
    assert not dict(repeats.check(image(40), hands(1), CAMERA))


def test_a_camera_that_sends_each_image_twice_is_not_frozen():
    repeats = Repeats()
    assert not any(
        dict(repeats.check(image(number // 2), hands(number), CAMERA)) for number in range(100)
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_that_is_repeated_while_the_other_one_moves_is_named_after_half_a_second(side):
    repeats = Repeats()
    found = [
        dict(repeats.check(image(number), hands(number) | {side: HANDS[side]}, CAMERA))
        for number in range(40)
    ]
    assert not any(found[:15])
    assert all(f"keypoints of the {side} hand" in each["frozen_keypoints"] for each in found[15:])


def test_a_hand_that_rests_in_a_simulated_picture_is_not_named():
    """Nothing changes where it is, while the picture elsewhere does."""
    repeats = Repeats()
    pictures = [IMAGE.copy() for _ in range(40)]
    for number, each in enumerate(pictures):
        each[:, :160] = np.roll(each[:, :160], number, axis=0)
    for number, each in enumerate(pictures):
        moved = hands(number) | {"right": HANDS["right"]}
        assert not dict(repeats.check(each, moved, CAMERA))
