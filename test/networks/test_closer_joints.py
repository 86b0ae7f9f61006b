"""Joints refined from close-ups: a second look is around what the first one found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from two_hands import CAMERA, joints, picture

from im2hands_ros.networks.compact.close_up_refinement import Found
from im2hands_ros.networks.compact.close_ups import CloseUps
from im2hands_ros.networks.compact.closer_joints import LOOKS, refine_closer
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.networks.protocol import Picture
from im2hands_ros.skeleton import SIDES


class Moves(nn.Module):
    """Moves all joints by the same at every look."""

    def __init__(self, by: tuple[float, float, float]) -> None:
        super().__init__()
        self.identity, self.by, self.seen = nn.Parameter(torch.zeros(1)), torch.tensor(by), []

    def forward(self, shown: CloseUps, begin: CoarseHands, given: Tensor) -> Found:
        self.seen.append(begin.joints)
        moved = begin.joints + self.by
        return Found(moved, torch.full(moved.shape[:3], 0.001 * len(self.seen)), (), moved)


def refined_by(network: Moves) -> tuple[Tensor, RefinedKeypoints, RefinedKeypoints]:
    places = torch.stack([torch.as_tensor(joints(side)).float() for side in SIDES])[None]
    present = torch.tensor([[True, True]])
    coarse = CoarseHands(places, present, torch.eye(3)[None])
    spread = torch.full((1, 2, 21), 0.004)
    before = RefinedKeypoints(places, present, spread, torch.tensor([-9.0]), ())
    keypoints = KeypointRefinement(COMPACT.keypoints, COMPACT.initial.encoder)
    with torch.inference_mode():
        after = refine_closer(network, keypoints, Picture(picture(), CAMERA), coarse, before)
    return places, before, after


def test_every_look_is_around_the_joints_before_it_and_the_last_counts_twice() -> None:
    network = Moves((0.0, 0.02, 0.0))
    places, _, after = refined_by(network)
    assert len(network.seen) == LOOKS == 2
    assert torch.equal(network.seen[1], places + network.by)
    assert torch.allclose(after.joints, places + 5 / 3 * network.by, atol=1e-6)
    assert torch.allclose(after.spread, torch.full((1, 2, 21), 0.002))


def test_joints_that_have_left_the_picture_are_those_of_the_first_look() -> None:
    network = Moves((2.0, 0.0, 0.0))
    places, _, after = refined_by(network)
    assert len(network.seen) == 1
    assert torch.allclose(after.joints, places + network.by, atol=1e-6)


def test_without_any_close_up_everything_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = "im2hands_ros.networks.compact.closer_joints.region"
    monkeypatch.setattr(cut, lambda *_: None)
    network = Moves((0.0, 0.02, 0.0))
    _, before, after = refined_by(network)
    assert after is before and not network.seen
