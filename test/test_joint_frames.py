"""Directions at a hand's joints, and joints moved along them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from two_hands import joints

from im2hands_ros.joint_frames import USUAL_PALM, joint_frames, moved_joints, palm_length
from im2hands_ros.synthetic.gestures import random_poses
from im2hands_ros.synthetic.hand import BakedHand

MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def posed() -> np.ndarray:
    """(16, 21, 3) right hands in many poses."""
    hand = BakedHand.load(dtype=torch.float64)
    pose = random_poses(hand, 16, torch.Generator().manual_seed(2))
    return hand.rest_frame_keypoints(pose, torch.zeros(16, hand.shape_dims).double()).numpy()


def test_directions_are_unit_vectors_square_to_each_other(posed):
    for xyz in posed:
        frames = joint_frames(xyz, "right")
        np.testing.assert_allclose(
            frames @ frames.transpose(0, 2, 1), np.eye(3) * np.ones((21, 1, 1)), atol=1e-9
        )


def test_backs_look_out_of_the_hand_and_sides_to_the_thumb(posed):
    frames = np.stack([joint_frames(xyz, "right") for xyz in posed])
    assert (frames[:, [0, 5, 9, 13], 1, 2] < 0).mean() > 0.9  # the rest frame's z leaves the palm
    to_thumb = (frames[:, 5:, 2] * (posed[:, 5] - posed[:, 17])[:, None]).sum(-1)
    assert (to_thumb > 0).all()


def test_offsets_turn_with_the_hand_and_are_mirrored_on_the_left_one(posed):
    offsets = np.random.default_rng(3).normal(0, 0.005, (21, 3))
    turn = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    for xyz in posed[:4]:
        moved = moved_joints(xyz, "right", offsets)
        np.testing.assert_allclose(
            moved_joints(xyz @ turn.T, "right", offsets), moved @ turn.T, atol=1e-6
        )
        np.testing.assert_allclose(
            moved_joints(xyz * MIRROR, "left", offsets), moved * MIRROR, atol=1e-6
        )


def test_larger_hands_are_moved_by_more():
    offsets = np.zeros((21, 3))
    offsets[8, 0] = 0.004
    xyz = joints("right")
    size = palm_length(xyz) / USUAL_PALM
    for scale in (1.0, 1.5):
        move = moved_joints(scale * xyz, "right", offsets)[8] - scale * xyz[8]
        assert np.linalg.norm(move) == pytest.approx(scale * size * 0.004, rel=1e-3)


def test_a_straight_hand_and_joints_in_one_place_have_finite_directions():
    assert np.isfinite(joint_frames(joints("left"), "left")).all()
    assert np.isfinite(joint_frames(np.zeros((21, 3)), "left")).all()
