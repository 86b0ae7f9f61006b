"""Looks at rendered pictures with the real network: right inputs agree, wrong ones are found."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.synthetic.motion_pictures import motion_pictures
from im2hands_ros.tracking.picture_looks import LookAt, are_clasped, looks_on
from im2hands_ros.tracking.plausibility import Plausibility

DEMO = load_demo_sequence()
FRAMES = DEMO.frames[:24]
Hands = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def look_at() -> LookAt:
    return looks_on(torch.device("cpu"))


def scene(swapped: bool, confidence: float = 0.42) -> SimpleNamespace:
    return SimpleNamespace(confidence=dict.fromkeys(SIDES, confidence), swapped=swapped)


def keypoints(frame: int) -> Hands:
    return {side: xyz for side, xyz in FRAMES[frame].keypoints.items() if xyz is not None}


def kinds(look_at: LookAt, camera: Camera, moved: np.ndarray) -> set[str]:
    """Of the last of the demo's first frames, with keypoints that are moved."""
    tests = Plausibility(look_at)
    found: dict[str, str] = {}
    for number, frame in enumerate(FRAMES):
        hands = {side: (xyz + moved).astype(np.float32) for side, xyz in keypoints(number).items()}
        found = dict(tests.check(frame.image, camera, hands, scene(swapped=False)))
    return {kind for kind in found if kind.startswith("picture")}


STILL = np.zeros(3)
SCENE = scene(swapped=False)


def test_the_demo_as_it_is_agrees_with_its_picture(look_at):
    assert kinds(look_at, DEMO.camera, STILL) == set()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.67, 1.5])
def test_a_wrong_focal_length_is_found_in_the_picture(look_at, share):
    camera = replace(DEMO.camera, fx=share * DEMO.camera.fx, fy=share * DEMO.camera.fy)
    assert kinds(look_at, camera, STILL)


@pytest.mark.parametrize("moved", [(0.06, 0.0, 0.0), (0.0, -0.12, 0.0), (0.0, 0.0, 0.25)])
def test_keypoints_of_another_place_are_found_in_the_picture(look_at, moved):
    assert kinds(look_at, DEMO.camera, np.array(moved))


@pytest.mark.parametrize("late", [0, 6, 12])
def test_keypoints_that_are_late_are_found_in_the_picture(look_at, late):
    """Of slow hands: 18 and 33 mm away."""
    tests, found = Plausibility(look_at), set()
    for now in range(20, 56):
        given = {side: DEMO.frames[now - late].keypoints[side] for side in SIDES}
        found |= {
            kind for kind, _ in tests.check(DEMO.frames[now].image, DEMO.camera, given, SCENE)
        }
    assert ("late_keypoints" in found) == bool(late)
    assert "early_keypoints" not in found


@pytest.mark.parametrize("number", [0, 6, 12])
def test_swapped_sides_and_a_mirrored_axis_are_told_apart_in_a_first_frame(look_at, number):
    """Whatever the confidence: 0.42, between those that both have there."""
    given, image = keypoints(number), FRAMES[number].image
    swapped = {"left": given["right"], "right": given["left"]}
    mirrored = {side: xyz * np.float32([1, -1, 1]) for side, xyz in given.items()}
    for hands, kind in ((swapped, "swapped"), (mirrored, "mirrored_axis")):
        tests = Plausibility(look_at)
        assert kind in dict(tests.check(image, DEMO.camera, hands, scene(swapped=True)))


@pytest.mark.parametrize("seed", [41, 42])
def test_a_mirrored_axis_is_told_apart_on_other_motions_too(look_at, seed):
    motion = draw_motion(0.1, seed)
    image = next(motion_pictures(motion, seed))
    given = {side: track[0] for side, track in motion.keypoints.items()}
    swapped = {"left": given["right"], "right": given["left"]}
    mirrored = {side: xyz * np.float32([1, -1, 1]) for side, xyz in given.items()}
    for hands, kind in ((swapped, "swapped"), (mirrored, "mirrored_axis")):
        found = dict(Plausibility(look_at).check(image, motion.camera, hands, scene(swapped=True)))
        assert kind in found


def test_hands_apart_are_looked_at_each_and_interlaced_ones_together():
    def clasped(number: int) -> bool:
        hands = DEMO.frames[number].keypoints
        return are_clasped({side: DEMO.camera.project(xyz) for side, xyz in hands.items()})

    assert not clasped(0) and clasped(60)
