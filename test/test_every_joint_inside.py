"""A hand is one piece through all of its joints; what is cut off all the same is said."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from far_hands import far_hands
from two_hands import CAMERA, picture

from im2hands_ros import Im2Hands
from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.search import search
from im2hands_ros.surface.severed import inside_of
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.tracking.plausibility import severed_pieces


@pytest.fixture(scope="module")
def model():
    model = Im2Hands.load()
    model.refine_keypoints = False
    return model


@pytest.mark.parametrize(
    ("first", "count"), [(0, 40), pytest.param(40, 460, marks=pytest.mark.slow)]
)
def test_every_joint_lies_in_the_mesh_of_hands_far_outside_the_usual(model, first, count):
    for number, joints in enumerate(far_hands(first + count).numpy()[first:], first):
        surface = model.encode(picture(), {"right": joints}, CAMERA).reconstruct(voxel_size=0).right
        outside = np.flatnonzero(~MeshQueries(surface).contains(joints))
        assert not len(outside), f"joints {outside} of hand {number}"
        assert surface.severed == ()


def test_joints_in_a_piece_that_is_left_out_lower_the_confidence(model):
    """So high a threshold cuts thin fingers."""
    severed = 0
    for joints in far_hands(12).numpy():
        scene = model.encode(picture(), {"right": joints}, CAMERA)
        surface = scene.reconstruct(64, threshold=0.97, voxel_size=0).right
        severed += len(surface.severed)
        share = 1 - len(surface.severed) / 21
        assert surface.confidence == pytest.approx(scene.confidence.right * share)
        apart = joints[list(surface.severed)]
        assert (scene.right.occupancy(apart) > 0.97).all()
        assert not MeshQueries(surface).contains(apart).any()
    assert severed


def test_the_piece_that_was_left_out_is_told_from_the_rest():
    centres = torch.tensor([[0.4, 0.4, 0.4], [0.8, 0.7, 0.8]])

    def balls(points, valid):
        distance = (points[..., None, :] - centres).norm(dim=-1)
        return (torch.tensor([0.25, 0.05]) - distance).amax(-1)

    surface = extract(search(balls, 64, 0.0, hands=1), 0)
    assert len(surface.left_out)
    beside = centres + torch.tensor([0.0, 0.06, 0.0])
    points = torch.cat([centres, beside]).numpy()
    assert inside_of(surface.left_out, points).tolist() == [False, True, False, False]
    inverted = surface.left_out[:, ::-1]
    assert inside_of(inverted, points).tolist() == [False, True, False, False]


def test_the_warning_names_hand_and_joints():
    surfaces = {"left": SimpleNamespace(severed=(3, 4)), "right": SimpleNamespace(severed=())}
    ((kind, text),) = severed_pieces(surfaces)
    assert kind == "severed"
    assert "left hand with 2 of its joints (thumb_ip, thumb_tip)" in text
