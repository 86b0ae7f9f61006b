"""Keypoints of another frame than their picture's are told from those that are merely wrong.

What is seen is made up here; test_picture_looks has the real network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
from two_hands import CAMERA, joints, picture

from im2hands_ros.networks.compact.landmark_encoder import SeenHand
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.plausibility import Plausibility

IMAGE = picture()
SCENE = SimpleNamespace(confidence=dict.fromkeys(SIDES, 0.8), swapped=False)
FRAMES = 45
Given = Callable[[str, int], np.ndarray | None]


def moving(side: str, frame: float) -> np.ndarray:
    """To and fro by 40 mm in two directions, each hand at its own pace; 9 px at most of a frame."""
    phase = frame / (9 if side == "left" else 11)
    moved = 0.04 * np.array([np.sin(phase), np.cos(0.7 * phase), 0.0])
    return (joints(side) + moved).astype(np.float32)


def late_by(frames: int) -> Given:
    return lambda side, frame: moving(side, frame - frames)


def said(given: Given, frames: int = FRAMES, shown: Given = moving) -> dict[str, str]:
    """Kinds and texts of the last frame; shown: where the picture has the hands."""
    random = np.random.default_rng(4)
    now = 0

    def look(image: np.ndarray, pixels: Mapping[str, np.ndarray]) -> dict[str, SeenHand]:
        return {
            side: SeenHand(
                CAMERA.project(shown(side, now)) + random.normal(scale=3.0, size=(21, 2)),
                np.zeros(21),
                np.zeros((21, 3)),
                0.99,
                float(side == "right"),
            )
            for side in pixels
        }

    tests = Plausibility(look)
    found: tuple[tuple[str, str], ...] = ()
    for now in range(frames):
        hands = {side: xyz for side in SIDES if (xyz := given(side, now)) is not None}
        found = tests.check(IMAGE, CAMERA, hands, SCENE)
    return dict(found)


@pytest.mark.parametrize("frames", [4, 6, 10, 16, 20])
def test_late_keypoints_are_said_with_how_late_they_are(frames):
    text = said(late_by(frames))["late_keypoints"]
    assert f"the left and right hand as the keypoints have it {frames} frames later" in text
    assert "give them the stamp of the picture" in text


@pytest.mark.parametrize("frames", [4, 8])
def test_pictures_that_are_late_are_said(frames):
    text = said(late_by(-frames), 90)["early_keypoints"]
    assert f"as the keypoints had it {frames} frames before" in text


def test_late_keypoints_of_one_hand_are_said_of_that_hand():
    found = said(lambda side, frame: moving(side, frame - 10 * (side == "left")))
    assert "the left hand" in found["late_keypoints"]
    assert "right" not in found["late_keypoints"]


OFFSET = np.float32([0.008, -0.006, 0.0])


@pytest.mark.parametrize("scale", [0.0, 0.006])
def test_keypoints_in_time_with_an_offset_and_noise_are_not_late(scale):
    random = np.random.default_rng(2)

    def given(side: str, frame: int) -> np.ndarray:
        return moving(side, frame) + OFFSET + random.normal(scale=scale, size=(21, 3))

    for frames in (FRAMES, 300):
        assert not {"late_keypoints", "early_keypoints"} & said(given, frames).keys()


def test_hands_that_keep_still_are_not_called_late():
    random = np.random.default_rng(3)

    def given(side: str, frame: int) -> np.ndarray:
        return moving(side, 0) + random.normal(scale=0.004, size=(21, 3))

    found = said(given, 100, shown=lambda side, frame: moving(side, 0))
    assert found.keys() == {"frozen_image"}


def test_hands_that_come_and_go_are_compared_where_they_are_known():
    def given(side: str, frame: int) -> np.ndarray | None:
        return None if frame % 7 == 3 and side == "left" else moving(side, frame - 10)

    assert "10 frames later" in said(given, 120)["late_keypoints"]
