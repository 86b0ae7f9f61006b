"""Landmarks in a picture to metric keypoints: distances, depth images."""

from __future__ import annotations

import numpy as np
import pytest
from seen_hands import CAMERA, depth_image, fingers, landmarks_of, open_hand

from im2hands_ros.anatomy import mean_bone_length
from im2hands_ros.camera import Camera
from im2hands_ros.detection.lift import PALM_LENGTH, lift
from im2hands_ros.skeleton import MIDDLE_MCP, WRIST

FISHEYE = Camera(640, 480, 300.0, 300.0, 320.0, 240.0, "equidistant", (0.05, -0.01, 0.0, 0.0))
BONE_PER_PALM = 0.403


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE], ids=["pinhole", "fisheye"])
def test_joints_lie_on_the_rays_of_their_landmarks(camera: Camera) -> None:
    joints = open_hand()
    lifted = lift(landmarks_of(joints, camera), camera)
    assert np.allclose(camera.project(fingers(lifted)), camera.project(fingers(joints)), atol=0.05)


def test_the_wrist_moves_away_from_the_fingers() -> None:
    joints = open_hand()
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA)
    scale = lifted[MIDDLE_MCP, 2] / joints[MIDDLE_MCP, 2]
    wanted = joints[WRIST] + 0.05 * (joints[WRIST] - joints[MIDDLE_MCP])
    assert np.allclose(lifted[WRIST], scale * wanted, atol=0.004)


def test_a_hand_has_the_shape_of_what_was_seen() -> None:
    joints = open_hand()
    lifted = fingers(lift(landmarks_of(joints, CAMERA), CAMERA))
    scale = lifted[:, 2].mean() / fingers(joints)[:, 2].mean()
    assert np.allclose(lifted, scale * fingers(joints), atol=0.004)


def test_the_distance_follows_from_the_size_of_the_user_s_hand() -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    usual = lift(landmarks, CAMERA, PALM_LENGTH)
    larger = lift(landmarks, CAMERA, 1.2 * PALM_LENGTH)
    assert np.allclose(larger, 1.2 * usual, rtol=1e-5)
    palm = mean_bone_length(open_hand()) / BONE_PER_PALM
    assert lift(landmarks, CAMERA, palm)[:, 2].mean() == pytest.approx(0.5, rel=0.01)


def test_of_two_hands_the_smaller_one_in_the_picture_is_farther_away() -> None:
    near, far = (lift(landmarks_of(open_hand(z), CAMERA), CAMERA) for z in (0.4, 0.6))
    assert far[:, 2].mean() / near[:, 2].mean() == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_what_a_depth_image_shows_in_no_hands_size_is_none(factor: float) -> None:
    joints = open_hand(0.4)
    landmarks, depth = landmarks_of(joints, CAMERA), depth_image(joints, CAMERA)
    assert lift(landmarks, CAMERA, depth=depth) is not None
    assert lift(landmarks, CAMERA, depth=factor * depth) is None


def test_a_depth_image_overrules_the_size() -> None:
    joints = open_hand(0.62)
    depth = depth_image(joints, CAMERA)
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA, 0.12, depth)
    assert np.abs(fingers(lifted) - fingers(joints)).max() < 0.004


def test_depths_of_other_things_do_not_move_the_hand() -> None:
    joints = open_hand(0.62)
    depth = depth_image(joints, CAMERA)
    behind = CAMERA.project(joints)[[4, 8, 12, 16, 20, 7]]
    for column, row in np.rint(behind).astype(int):
        depth[row - 4 : row + 5, column - 4 : column + 5] = 1.4
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA, depth=depth)
    assert np.abs(fingers(lifted) - fingers(joints)).max() < 0.006


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
def test_a_depth_image_that_shows_nothing_changes_nothing(nothing: float) -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    empty = np.full((480, 640), nothing, np.float32)
    assert np.array_equal(lift(landmarks, CAMERA, depth=empty), lift(landmarks, CAMERA))


@pytest.mark.parametrize("distance", [0.02, 9.0])
def test_what_is_too_near_or_too_far_is_no_hand(distance: float) -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    assert lift(landmarks, CAMERA, PALM_LENGTH * distance / 0.5) is None


def test_landmarks_that_are_not_finite_are_no_hand() -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    landmarks.pixels[3] = np.nan
    assert lift(landmarks, CAMERA) is None
