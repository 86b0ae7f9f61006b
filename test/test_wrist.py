"""Wrist frames: right-handed, of the same meaning on both hands, and moving with the hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, SIDES, TIPS, WRIST
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.wrist import quaternion, wrist_rotation


@pytest.fixture(scope="module")
def hands() -> list[tuple[str, np.ndarray]]:
    frames = load_demo_sequence().frames[::8]
    pairs = [(side, frame.keypoints[side]) for frame in frames for side in SIDES]
    return [(side, xyz) for side, xyz in pairs if xyz is not None]


def local(xyz: np.ndarray, side: str) -> np.ndarray:
    return (xyz - xyz[WRIST]) @ wrist_rotation(xyz, side)


def test_axes_are_right_handed_and_x_points_to_the_middle_finger(hands):
    for side, xyz in hands:
        rotation = wrist_rotation(xyz, side)
        assert np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-6)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert np.allclose(local(xyz, side)[MIDDLE_MCP][1:], 0, atol=1e-6)
        assert local(xyz, side)[MIDDLE_MCP][0] > 0.05


def test_z_leaves_the_back_of_both_hands(hands):
    # Fingers bend to the palm: tips lie on the other side of the palm's plane.
    for side in SIDES:
        depths = [local(xyz, of)[list(TIPS)[1:], 2].mean() for of, xyz in hands if of == side]
        assert np.mean(depths) < -0.005


def test_y_points_to_the_thumb_on_a_right_hand_and_away_from_it_on_a_left_one(hands):
    for side, xyz in hands:
        assert local(xyz, side)[INDEX_MCP][1] * (1 if side == "right" else -1) > 0.005


def test_mirrored_hands_have_mirrored_frames(hands):
    mirror = np.array([-1.0, 1.0, 1.0])
    side, xyz = hands[0]
    other = SIDES[1 - SIDES.index(side)]
    own, mirrored = wrist_rotation(xyz, side), wrist_rotation(xyz * mirror, other)
    assert np.allclose(mirrored[:, [0, 2]], own[:, [0, 2]] * mirror[:, None], atol=1e-6)


def test_the_frame_turns_with_the_hand_and_noise_of_a_millimetre_turns_it_by_few_degrees(hands):
    random = np.random.default_rng(0)
    for side, xyz in hands:
        turn = Rotation.random(random_state=int(random.integers(1000))).as_matrix()
        turned = wrist_rotation(xyz @ turn.T + 0.3, side)
        assert np.allclose(turned, turn @ wrist_rotation(xyz, side), atol=1e-4)
        noisy = wrist_rotation(xyz + random.normal(0, 0.001, xyz.shape), side)
        difference = Rotation.from_matrix(noisy.T @ wrist_rotation(xyz, side))
        assert np.degrees(difference.magnitude()) < 6


def test_a_palm_on_a_line_has_no_frame():
    assert wrist_rotation(np.linspace([0, 0, 0.5], [0.1, 0, 0.5], 21), "left") is None
    assert wrist_rotation(np.ones((21, 3)), "right") is None


def test_quaternions_are_those_of_scipy_and_do_not_jump():
    rotations = Rotation.random(200, random_state=0)
    for rotation in rotations:
        ours = quaternion(rotation.as_matrix())
        theirs = rotation.as_quat()
        assert np.allclose(ours * np.sign(ours @ theirs), theirs, atol=1e-9)
        assert ours[3] >= 0
    turning = [Rotation.from_rotvec([0, 0, angle]).as_matrix() for angle in np.arange(0, 13, 0.1)]
    last = quaternion(turning[0])
    for matrix in turning:
        now = quaternion(matrix, near=last)
        assert np.linalg.norm(now - last) < 0.1
        last = now
