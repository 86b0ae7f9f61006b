"""A person's flesh in the networks: in torch, and in the library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture

from im2hands_ros.hand_calibration import HandCalibration, HandShape
from im2hands_ros.kernels import library
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.person_shape import fingerprint
from im2hands_ros.networks.protocol import HandNetworks
from im2hands_ros.pipeline import WEIGHTS, Im2Hands

HANDS = {"left": joints("left"), "right": joints("right")}


def calibration(code: float = 0.0, thickness: float = 0.0, mark: str | None = None):
    networks, _ = CompactNetworks.load(WEIGHTS / "compact.safetensors")
    decoder = networks.initial.decoder
    shape = HandShape(
        np.full(decoder.code_to_bias.in_features, code),
        np.full(20, thickness),
        mark or fingerprint(decoder),
    )
    return HandCalibration("mano", np.zeros((21, 3)), np.full(24, 0.03), shape, ("left", "right"))


def depths(made: HandCalibration | None, points: torch.Tensor) -> np.ndarray:
    model = Im2Hands.load(device="cpu", calibration=made)
    model.refine_keypoints = model.refine_occupancy = False
    scene = model.encode(picture(), HANDS, CAMERA)
    return scene.right.depth(points).numpy()


@pytest.fixture(scope="module")
def points() -> torch.Tensor:
    near = joints("right")[[2, 6, 10, 14, 18]]
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.repeat(near, 20, 0) + rng.normal(0, 0.006, (100, 3))).float()


def test_a_thickness_is_added_to_the_depth_everywhere(points):
    added = depths(calibration(thickness=0.0015), points) - depths(None, points)
    np.testing.assert_allclose(np.median(added), 0.0015, atol=1e-5)
    assert added.min() > -1e-6 and added.max() < 0.0016


def test_a_code_changes_the_shape(points):
    assert np.abs(depths(calibration(code=0.3), points) - depths(None, points)).max() > 2e-4


@pytest.mark.skipif(library.chosen() is None, reason="no compiled kernels")
def test_the_library_has_the_same_hand_as_torch(points):
    model = Im2Hands.load(device="cpu", calibration=calibration(0.3, 0.002))
    scene = model.encode(picture(), HANDS, CAMERA)
    assert model.kernels == "native"
    logits = scene.right.depth(points).numpy() * 1e3
    compiled = scene.right.occupancy(points.numpy())
    np.testing.assert_allclose(compiled, 1 / (1 + np.exp(-logits)), atol=2e-3)


def test_a_shape_of_other_weights_is_refused():
    with pytest.raises(ValueError, match="made with other weights .feed.*calibrate again"):
        Im2Hands.load(device="cpu", calibration=calibration(mark="feed"))


def test_networks_without_that_freedom_say_so():
    with pytest.raises(ValueError, match="take no calibration of a person"):
        HandNetworks.take_shape(None, calibration().shape)  # type: ignore[arg-type]
