"""Depths under the skin, and hands moved by a depth image, as a user without ROS calls them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from im2hands_ros.bad_input import BadInput
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.synthetic.depth_camera import REALSENSE, perfect_depth, photographed
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.sample import pose_hand
from im2hands_ros.synthetic.skin import Skin

DEMO = load_demo_sequence()
FRAME = DEMO.frames[5]
SKIN = Skin(np.ones(3, np.float32), np.zeros(3, np.float32), 0.5, 0.1, 0.1, (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def model() -> Im2Hands:
    return Im2Hands.load(device="cpu")


@pytest.fixture(scope="module")
def depth_image() -> np.ndarray:
    """What a depth camera would have seen of the demo's frame."""
    parts = [hand_part(s, pose_hand(s, p).skin, SKIN) for s, p in FRAME.parameters.items()]
    perfect = perfect_depth(parts, DEMO.camera, wall=1.5)
    return photographed(perfect, REALSENSE, np.random.default_rng(0))


def around(side: str) -> np.ndarray:
    random = np.random.default_rng(0)
    joints = FRAME.true_keypoints[side]
    return (joints[random.integers(0, 21, 200)] + random.normal(0, 0.008, (200, 3))).astype(
        np.float32
    )


def test_depth_and_occupancy_are_one_field(model):
    scene = model.encode(FRAME.image, FRAME.true_keypoints, DEMO.camera)
    points = around("left")
    depth = scene.left.depth(torch.from_numpy(points)).detach().numpy()
    expected = 1 / (1 + np.exp(-1000 * depth.astype(np.float64)))
    assert np.abs(scene.left.occupancy(points) - expected).max() < 0.01
    assert depth.max() > 0.003 and depth.min() < -0.003


def test_depth_has_the_gradient_of_its_differences(model):
    scene = model.encode(FRAME.image, FRAME.true_keypoints, DEMO.camera)
    points = torch.from_numpy(around("right")).requires_grad_()
    scene.right.depth(points).sum().backward()
    step = 2e-4
    with torch.no_grad():
        differences = [
            scene.right.depth(points + step * axis) - scene.right.depth(points - step * axis)
            for axis in torch.eye(3)
        ]
    numeric = torch.stack(differences, dim=1) / (2 * step)
    assert (points.grad - numeric).abs().median() < 0.05
    assert 0.5 < points.grad.norm(dim=1).median() < 1.5  # a depth grows by what one goes in


def test_other_shapes_are_refused(model):
    scene = model.encode(FRAME.image, FRAME.true_keypoints, DEMO.camera)
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        scene.left.depth(torch.zeros(3))


def test_hands_are_moved_to_where_their_skin_is_seen(model, depth_image):
    given = {side: xyz * np.float32(1.05) for side, xyz in FRAME.true_keypoints.items()}

    def error(scene) -> float:
        off = [scene.keypoints[s] - FRAME.true_keypoints[s] for s in given]
        return float(np.linalg.norm(off, axis=-1).mean())

    without = error(model.encode(FRAME.image, given, DEMO.camera))
    assert error(model.encode(FRAME.image, given, DEMO.camera, depth_image)) < 0.35 * without


def test_true_joints_stay(model, depth_image):
    scene = model.encode(FRAME.image, FRAME.true_keypoints, DEMO.camera, depth_image)
    for side, xyz in FRAME.true_keypoints.items():
        assert np.linalg.norm(scene.keypoints[side] - xyz, axis=1).mean() < 0.001


def test_a_depth_image_that_does_not_fit_is_refused(model, depth_image):
    with pytest.raises(BadInput, match="registered"):
        model.encode(FRAME.image, FRAME.true_keypoints, DEMO.camera, depth_image[::2, ::2])
