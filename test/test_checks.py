"""Joints of another unit, frame or convention are refused with the convention that fits."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import CAMERA, joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.checks import check_keypoints

RIGHT = joints("right")
PIXELS = CAMERA.project(RIGHT)


def with_depth(points_px: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.column_stack([points_px, depth]).astype(np.float32)


CONVENTIONS = {
    "millimetres": (1000 * RIGHT, "not millimetres: divide by 1000"),
    "centimetres": (100 * RIGHT, "not centimetres: divide by 100"),
    "metres, far away": (RIGHT + np.float32([0, 0, 18]), "within 10 m of the camera"),
    "ten times as large": (10 * RIGHT, "m across: give a hand's 21 joints"),
    "pixels with metres": (with_depth(PIXELS, RIGHT[:, 2]), "as pixels"),
    "pixels with pixel depth": (with_depth(PIXELS, 90 * (RIGHT[:, 2] - 0.5)), "as pixels"),
    "normalised": (
        with_depth(PIXELS / (CAMERA.width, CAMERA.height), RIGHT[:, 2] - RIGHT[0, 2]),
        "normalised to the picture",
    ),
    "relative to the wrist": (RIGHT - RIGHT[0], "add the wrist's position"),
    "OpenGL": (RIGHT * np.float32([1, -1, -1]), "from OpenGL negate y and z"),
    "zeros": (0 * RIGHT, "zeros alone: leave it out"),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_joints_of_another_convention_are_refused_by_its_name(name):
    xyz, said = CONVENTIONS[name]
    with pytest.raises(BadInput) as refused:
        check_keypoints({"right": xyz})
    assert said in str(refused.value)


@pytest.mark.parametrize("depth", [0.12, 0.5, 3.0, 9.0])
def test_hands_in_metres_are_taken_wherever_they_are(depth):
    assert check_keypoints({"right": joints("right", depth=depth)})["right"].shape == (21, 3)
