"""Landmarks come to the keypoint refinement as rays, whatever the lens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks
from im2hands_ros.networks.compact.landmark_encoder import WEIGHTS, see_conditioned
from im2hands_ros.networks.compact.seen_hands import see_hands
from im2hands_ros.pair import HandPair


@pytest.fixture(scope="module")
def network() -> ConditionedLandmarks:
    conditioned = ConditionedLandmarks().eval()
    checkpoints.load_into(conditioned.network, WEIGHTS)
    return conditioned


@pytest.mark.parametrize("model", ["none", "plumb_bob"])
def test_rays_meet_the_picture_where_the_landmarks_are(network, model) -> None:
    distortion = (-0.2, 0.05, 0.001, 0.0, 0.0) if model != "none" else ()
    camera = replace(CAMERA, distortion_model=model, distortion=distortion)
    hands = HandPair(left=joints("left"), right=joints("right"))
    seen = see_hands(network, picture(), camera, hands)
    pixels = {side: camera.project(each) for side, each in hands.present.items()}
    for slot, (side, expected) in enumerate(see_conditioned(network, picture(), pixels).items()):
        rays = np.column_stack([seen.rays[0, slot].double().numpy(), np.ones(21)])
        assert np.abs(camera.project(rays) - expected.pixels).max() < 0.01
        right = float(seen.side[0, slot])
        assert right == pytest.approx(expected.right if side == "right" else 1 - expected.right)
        assert float(seen.presence[0, slot]) == pytest.approx(expected.presence)
    assert seen.relief[0, :, 0].abs().max() == 0


def test_a_hand_that_is_not_there_is_not_looked_for(network) -> None:
    seen = see_hands(network, picture(), CAMERA, HandPair(right=joints("right")))
    assert seen.presence[0, 0] == 0 < seen.presence[0, 1]
    assert all(torch.isfinite(each).all() for each in seen)


def test_landmarks_where_the_lens_model_has_no_inverse_are_left_out(network) -> None:
    """A barrel so strong that it folds within the picture."""
    camera = replace(CAMERA, distortion_model="plumb_bob", distortion=(-3.0, 0.0, 0.0, 0.0, 0.0))
    seen = see_hands(network, picture(), camera, HandPair(left=joints("left")))
    assert all(torch.isfinite(each).all() for each in seen)
