"""Joints of another unit, frame or convention are refused with the convention that fits."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import CAMERA, joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.checks import check_depth, check_image, check_keypoints

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


def test_a_masked_joint_was_not_seen():
    masked = np.ma.masked_array(RIGHT.astype(np.float64), mask=np.zeros(RIGHT.shape, bool))
    masked[8] = np.ma.masked
    masked.data[8] += 1.0  # what lies under a mask means nothing
    assert np.linalg.norm(check_keypoints({"right": masked})["right"][8] - RIGHT[8]) < 0.05


def test_a_joint_at_the_cameras_own_centre_was_not_seen():
    zero, unseen = RIGHT.copy(), RIGHT.copy()
    zero[8], unseen[8] = 0.0, np.nan
    hands = [check_keypoints({"right": xyz})["right"] for xyz in (zero, unseen)]
    np.testing.assert_array_equal(*hands)


@pytest.mark.parametrize(
    ("keypoints", "said"),
    [
        (np.stack([RIGHT, RIGHT]), "keypoints are a ndarray: give a dict of left and right"),
        ({"right": "open"}, "the right hand is no array of numbers"),
        ({"right": [[0.0, 0.0], [0.1]]}, "the right hand is no array of numbers"),
    ],
)
def test_what_are_no_keypoints_is_refused_in_words(keypoints, said):
    with pytest.raises(BadInput, match=said):
        check_keypoints(keypoints)


def test_a_picture_and_a_depth_image_are_arrays():
    picture = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    with pytest.raises(BadInput, match="image is a list: give a NumPy array"):
        check_image(picture.tolist(), CAMERA)
    depth = np.full((CAMERA.height, CAMERA.width), -0.5, np.float32)
    with pytest.raises(BadInput, match="depth is a list"):
        check_depth(depth.tolist(), CAMERA)
    with pytest.raises(BadInput, match=r"is negative, -0.5 m") as refused:
        check_depth(depth, CAMERA)
    assert refused.value.reason == "depth_sign"
    check_depth(0 * depth, CAMERA)  # nothing measured is no mistake
    depth[:9] = 0.4
    check_depth(depth, CAMERA)
