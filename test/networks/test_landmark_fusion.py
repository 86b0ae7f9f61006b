"""What landmarks say to the keypoint refinement, and that untrained they say nothing."""

from __future__ import annotations

import pytest
import torch
from test_keypoint_refinement import coarse, features
from torch import nn

from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.landmark_fusion import (
    FusedLandmarks,
    LandmarkFusion,
    SeenHands,
    differences_of,
)
from im2hands_ros.networks.compact.networks import fusion_of
from im2hands_ros.networks.compact.presets import COMPACT

OFF, RELIEF, COMMON, SIZE = slice(0, 2), 2, slice(9, 11), 11


def exact(joints: torch.Tensor) -> SeenHands:
    """Landmarks without error of (B, 2, 21, 3) joints."""
    wrist = joints[:, :, :1, 2]
    shape = joints.shape[:2]
    return SeenHands(
        rays=joints[..., :2] / joints[..., 2:],
        relief=(joints[..., 2] - wrist) / wrist,
        spread=torch.full(joints.shape[:3], 0.01),
        presence=torch.full(shape, 0.9),
        side=torch.full(shape, 0.8),
    )


def stirred() -> LandmarkFusion:
    """Layers that begin at zero would hide what they multiply."""
    torch.manual_seed(0)
    fusion = fusion_of(COMPACT).eval()
    for part in fusion.rounds:
        nn.init.normal_(part.joint[-1].weight, std=0.1)
        nn.init.normal_(part.hand[-1].weight, std=0.1)
    return fusion


@pytest.fixture(scope="module")
def refinement() -> KeypointRefinement:
    torch.manual_seed(0)
    network = KeypointRefinement(COMPACT.keypoints, COMPACT.initial.encoder).eval()
    for step in network.rounds:
        nn.init.normal_(step.step.weight, std=0.02)
    return network


@torch.inference_mode()
def test_an_untrained_fusion_leaves_the_refinement_as_it_was(refinement) -> None:
    given = coarse()
    without = refinement(features(), given)
    seen = FusedLandmarks(exact(given.joints), fusion_of(COMPACT))
    assert torch.equal(refinement(features(), given, seen=seen).joints, without.joints)


@torch.inference_mode()
def test_landmarks_move_joints_and_those_that_were_not_looked_for_do_not(refinement) -> None:
    given, fusion = coarse(), stirred()
    without = refinement(features(), given).joints
    seen = exact(given.joints)
    moved = refinement(features(), given, seen=FusedLandmarks(seen, fusion)).joints
    assert not torch.allclose(moved, without)
    absent = seen._replace(presence=torch.zeros(2, 2))
    kept = refinement(features(), given, seen=FusedLandmarks(absent, fusion)).joints
    assert torch.equal(kept, without)


def test_exact_landmarks_of_exact_joints_differ_by_nothing() -> None:
    given = coarse()
    differences = differences_of(exact(given.joints), given)
    assert differences[..., OFF].abs().max() < 1e-4
    assert differences[..., COMMON].abs().max() < 1e-4
    assert differences[..., SIZE].abs().max() < 1e-3
    assert differences[..., RELIEF].abs().max() < 0.15  # perspective


def test_a_hand_too_far_aside_is_off_in_common() -> None:
    true = coarse()
    given = true._replace(joints=true.joints + torch.tensor([0.01, -0.02, 0.0]))
    differences = differences_of(exact(true.joints), given)
    expected = torch.tensor([-1.0, 2.0]).expand(2, 2, 21, 2)
    assert torch.allclose(differences[..., COMMON], expected, atol=0.02)


def test_a_hand_too_far_away_appears_larger_than_it_should() -> None:
    true = coarse()
    given = true._replace(joints=true.joints + torch.tensor([0.0, 0.0, 0.02]))
    differences = differences_of(exact(true.joints), given)
    # Two centimetres, seen by the size alone.
    assert torch.allclose(differences[..., SIZE], torch.full((2, 2, 21), 2.0), atol=0.2)


def test_swapped_hands_take_their_landmarks_along() -> None:
    given = coarse()
    seen = exact(given.joints)._replace(side=torch.tensor([[0.9, 0.2], [0.9, 0.2]]))
    swapped = seen.swap(torch.tensor([True, False]))
    assert torch.equal(swapped.rays[0], seen.rays[0].flip(0))
    assert torch.equal(swapped.rays[1], seen.rays[1])
    assert torch.allclose(swapped.side, torch.tensor([[0.8, 0.1], [0.9, 0.2]]))


@torch.inference_mode()
def test_swapping_is_the_same_before_and_after_the_fusion() -> None:
    given, fusion = coarse(), stirred()
    fused = FusedLandmarks(exact(given.joints)._replace(side=torch.full((2, 2), 0.5)), fusion)
    yes = torch.ones(2, dtype=torch.bool)
    one = fused.swap(yes).at(1, given.swap(yes)).unflatten(1, (2, 21))
    assert torch.allclose(one.flip(1), fused.at(1, given).unflatten(1, (2, 21)), atol=1e-5)
