"""True hands of any rig keep their joints; noise is told by fingers that leave their planes."""

from __future__ import annotations

import torch
from far_hands import far_hands

from im2hands_ros.networks.compact.finger_planes import out_of_plane, smallest_eigenvalue
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.synthetic.hand import BakedHand

LOW, HIGH = COMPACT.keypoints.out_of_plane


def test_eigenvalues_are_those_of_torch():
    generator = torch.Generator().manual_seed(1)
    roots = torch.randn(200, 3, 3, generator=generator, dtype=torch.float64)
    roots[:50, :, 2] *= 1e-3
    matrices = roots @ roots.mT
    expected = torch.linalg.eigvalsh(matrices)[:, 0]
    assert torch.allclose(smallest_eigenvalue(matrices), expected, atol=1e-9)
    assert smallest_eigenvalue(torch.zeros(3, 3, dtype=torch.float64)) == 0


def test_a_flat_finger_lies_in_its_plane_and_a_moved_joint_does_not():
    joints = torch.zeros(21, 3)
    joints[:, 0] = torch.arange(21) * 0.02
    joints[:, 1] = (torch.arange(21) * 0.7).sin() * 0.01
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2))).Q
    assert out_of_plane(joints @ turn + 0.5) < 1e-6
    joints[6, 2] = 0.004
    assert 2e-4 < out_of_plane(joints @ turn + 0.5) < 1e-3


def test_noise_is_told_from_poses_and_conventions():
    hand = BakedHand.load()
    low, high = hand.pose_limits
    generator = torch.Generator().manual_seed(3)
    share = torch.rand(200, hand.pose_dims, generator=generator)
    true = hand.rest_frame_keypoints(low + (high - low) * share, torch.zeros(200, hand.shape_dims))
    noisy = true + 0.005 * torch.randn(true.shape, generator=generator)
    assert (out_of_plane(noisy) > HIGH).float().mean() > 0.9
    assert out_of_plane(noisy).median() > 2 * out_of_plane(true).median()


def test_a_consistent_hand_keeps_its_joints_where_a_shaken_one_is_corrected():
    network = KeypointRefinement(COMPACT.keypoints, COMPACT.initial.encoder)
    flat = far_hands(2)[None]
    flat[..., 1:, :] = flat[..., 5:9, :].repeat(1, 1, 5, 1)  # five times one finger
    flat[..., 1:, 1] = flat[..., 1:2, 1]
    shaken = flat + 0.006 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(4))
    for size, given, kept in ((0.004, flat, True), (0.004, shaken, False), (0.02, flat, False)):
        moved = given + size / 3**0.5
        out = network.large_corrections(given, moved)
        assert torch.equal(out, given) == kept
        assert torch.allclose(out, moved, atol=1e-5) != kept
