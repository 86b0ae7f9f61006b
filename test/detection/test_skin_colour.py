"""The colour of a hand's skin, and whose hand it can be."""

from __future__ import annotations

import numpy as np
import pytest
from seen_hands import CAMERA, open_hand

from im2hands_ros.detection.skin_colour import colour_of, may_be_one_skin

PIXELS = CAMERA.project(open_hand())
SKIN, OTHER_SKIN = (200, 150, 120), (150, 105, 65)


def painted(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((480, 640, 3), colour, np.uint8)


def colours(*skins: tuple[int, int, int]) -> list[np.ndarray]:
    return [colour_of(painted(skin), PIXELS) for skin in skins]


def test_the_colour_does_not_depend_on_the_brightness() -> None:
    bright, dark, other = colours(SKIN, (100, 75, 60), OTHER_SKIN)
    assert np.allclose(bright, dark, atol=0.03)
    assert np.abs(bright - other).max() > 0.1


def test_a_hand_outside_the_picture_has_no_colour() -> None:
    assert np.isnan(colour_of(painted(SKIN), PIXELS + 2000)).all()


def test_hands_of_two_skins_are_not_one_person_s() -> None:
    assert may_be_one_skin(colours(SKIN, (100, 75, 60)))
    assert not may_be_one_skin(colours(SKIN, OTHER_SKIN))


@pytest.mark.parametrize("known", [[], colours(SKIN)])
def test_of_one_hand_or_one_without_a_colour_nothing_is_said(known) -> None:
    assert may_be_one_skin([*known, np.full(2, np.nan)])
