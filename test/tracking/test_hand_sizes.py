"""Hands of one person are of a size: another one is said, what a tracker's errors make is not."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.evaluation.sequence_errors import track_with_errors
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.tracking.hand_sizes import HandSizes

RATE = 30.0
MOTION = draw_motion(16.0, seed=71, rate=RATE)


def said(scales: dict[str, float], errors: bool) -> list[dict[str, str]]:
    """Of each frame; a hand is scaled around the camera, which leaves its pixels as they are."""
    given = {}
    for number, side in enumerate(SIDES):
        given[side] = MOTION.keypoints[side] * np.float32(scales.get(side, 1.0))
        if errors:
            given[side] = track_with_errors(given[side], RATE, np.random.default_rng((5, number)))
    sizes = HandSizes()
    return [
        dict(sizes.check({side: xyz[frame] for side, xyz in given.items()}))
        for frame in range(len(MOTION))
    ]


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize(
    ("scales", "text"),
    [
        ({"left": 1.4}, "the left hand has been 1."),
        ({"right": 1.4}, "the right hand has been 1."),
        ({"left": 0.7}, "the right hand has been 1."),
    ],
)
def test_a_hand_of_another_size_with_the_right_pixels_is_named_after_15_seconds(
    scales, text, errors
):
    found = said(scales, errors)
    assert not any(found[:449])
    assert text in found[-1]["hand_sizes"]


@pytest.mark.parametrize("errors", [False, True])
def test_hands_of_a_size_are_not_named_and_a_single_hand_neither(errors):
    assert not any(said({}, errors))
    assert not any(said({"left": 1.1}, errors=False))
    sizes = HandSizes()
    assert not any(dict(sizes.check({"left": MOTION.keypoints["left"][0]})) for _ in range(500))
