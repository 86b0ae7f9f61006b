"""Canonical frames: equal to the published converter, rigid-motion invariant, never NaN."""

import numpy as np
import pytest
import torch
from published_networks import GOLDEN

from im2hands_ros.canonical import BONE_SLOT_COUNT, canonicalise
from im2hands_ros.evaluation.reference.occupancy import published_bone_matrices


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {name: torch.from_numpy(file[name]) for name in file if name.startswith("conv_")}


@pytest.fixture(scope="module")
def hands(golden):
    """Six golden hands: (6, 21, 3) float64 joints and (6,) mirrored."""
    return golden["conv_joints_mano21_m"], golden["conv_is_left"].bool()


def random_rotation(seed):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return torch.from_numpy(matrix * np.sign(np.linalg.det(matrix)))


def test_bone_matrices_equal_the_published_ones(golden, hands):
    frames = canonicalise(hands[0].float(), hands[1])
    assert (published_bone_matrices(frames) - golden["conv_B"]).abs().max() <= 1e-4
    assert (frames.palm_from_hand - golden["conv_M"][:, :3, :3]).abs().max() <= 1e-5
    assert (frames.bone_lengths - golden["conv_bone_len"]).abs().max() <= 1e-6


def test_rigid_motion_changes_the_palm_rotation_only(hands):
    joints, mirrored = hands
    before = canonicalise(joints, mirrored)
    moved = canonicalise(joints @ random_rotation(1).T + torch.tensor([0.3, -0.2, 0.9]), mirrored)
    assert (moved.bone_from_palm - before.bone_from_palm).abs().max() < 1e-9
    assert (moved.joints_palm - before.joints_palm).abs().max() < 1e-9
    assert (moved.palm_from_hand - before.palm_from_hand).abs().max() > 0.1


def test_a_mirrored_left_hand_is_the_right_hand(hands):
    joints = hands[0]
    flipped = joints * torch.tensor([-1.0, 1.0, 1.0])
    no, yes = torch.zeros(6, dtype=torch.bool), torch.ones(6, dtype=torch.bool)
    left, right = canonicalise(flipped, yes), canonicalise(joints, no)
    assert (left.bone_from_palm - right.bone_from_palm).abs().max() < 1e-12


def test_bones_of_a_straightened_finger_are_collinear_and_keep_their_length(hands):
    frames = canonicalise(*hands)
    for finger, base in zip((0, 1, 2, 3, 4), (5, 9, 17, 13, 1), strict=True):
        slots = frames.bone_from_palm[:, 1 + 3 * finger : 4 + 3 * finger]
        joints = frames.joints_palm[:, base : base + 4]
        start = (slots[..., :3] @ joints[:, :3, :, None])[..., 0] + slots[..., 3]
        end = (slots[..., :3] @ joints[:, 1:, :, None])[..., 0] + slots[..., 3]
        assert (start[:, 1:] - end[:, :-1]).abs().max() < 2e-4
        direction = torch.nn.functional.normalize(end - start, dim=-1)
        assert ((direction[:, 1:] * direction[:, :-1]).sum(-1) > 1 - 1e-4).all()


def test_palm_and_camera_maps_are_inverse(hands):
    frames = canonicalise(*hands)
    points = torch.from_numpy(np.random.default_rng(2).normal(size=(6, 50, 3)))
    again = frames.camera_from_palm(frames.palm_from_camera(points))
    assert (again - points).abs().max() < 1e-12


def straight_fingers():
    joints = torch.zeros(1, 21, 3)
    for finger in range(5):
        for level in range(4):
            joints[0, 1 + 4 * finger + level, 0] = 0.02 * (finger - 2)
            joints[0, 1 + 4 * finger + level, 1] = -0.06 - 0.03 * level
    return joints


@pytest.mark.parametrize(
    "joints",
    [
        straight_fingers(),
        torch.zeros(1, 21, 3),
        torch.full((1, 21, 3), 0.4),
        straight_fingers().index_fill(1, torch.tensor([7, 8]), 0.0),
    ],
    ids=["straight fingers", "all joints at the origin", "all joints in one place", "two at wrist"],
)
@pytest.mark.parametrize("left", [False, True])
def test_degenerate_hands_give_finite_frames_and_gradients(joints, left):
    joints = joints.clone().requires_grad_()
    frames = canonicalise(joints, torch.tensor([left]))
    values = [value for value in frames if value.is_floating_point()]
    assert all(torch.isfinite(value).all() for value in values)
    sum(value.square().sum() for value in values).backward()
    assert torch.isfinite(joints.grad).all()


def test_gradients_agree_with_finite_differences(hands):
    joints, mirrored = (value[:1] for value in hands)
    weights = torch.from_numpy(np.random.default_rng(3).normal(size=(1, BONE_SLOT_COUNT, 3, 4)))

    def loss(x):
        return (canonicalise(x, mirrored).bone_from_palm * weights).sum()

    assert torch.autograd.gradcheck(loss, joints.clone().requires_grad_(), eps=1e-7, atol=1e-4)
