"""The published keypoint refinement gives the published joints."""

import pytest
import torch
from published_networks import golden, load_made_up

from im2hands_ros.networks.paper.keypoint_refinement import PUBLISHED_ORDER, PaperKeypointRefinement
from im2hands_ros.networks.paper.presets import PaperKeypointPreset

TOLERANCE_MM = 1e-3


@pytest.fixture(scope="module")
def network():
    return load_made_up("kpts_ref", PaperKeypointRefinement(PaperKeypointPreset()))


@pytest.fixture(scope="module")
def features(network):
    return network.encoder.from_normalised(golden()["image"])


def coarse():
    return [golden()[f"kpts_in_{side}"].float() for side in ("left", "right")]


def test_refined_joints_equal_the_published_ones(network, features):
    refined = network(features, *coarse())
    for side, joints in zip(("left", "right"), refined, strict=True):
        error = (joints - golden()[f"kpts_{side}"]).abs().max()
        assert error <= TOLERANCE_MM


def test_camera_frame_joints_are_refined_in_place(network, features):
    """Any translation of both hands gives the same shape at the same middle MCP."""
    back = torch.tensor(PUBLISHED_ORDER).argsort()
    place = torch.tensor([0.1, -0.05, 0.6])
    given = [joints[:, back] / 1000 + place for joints in coarse()]
    refined = network.refine(features, *given)
    for side, before, after in zip(("left", "right"), given, refined, strict=True):
        assert (after[:, 9] - before[:, 9]).abs().max() < 1e-6
        published = golden()[f"kpts_{side}"][:, back] / 1000
        expected = published - published[:, 9:10] + before[:, 9:10]
        assert (after - expected).abs().max() < 1e-5
