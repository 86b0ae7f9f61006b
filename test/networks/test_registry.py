"""A preset is one class and one line: networks of balls, through the whole pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor
from two_hands import CAMERA, joints, keypoints, picture

from im2hands_ros import Im2Hands
from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.networks.protocol import EncodedFrame, EstimatedJoints, HandContext, HandNetworks
from im2hands_ros.networks.registry import NETWORKS
from im2hands_ros.pair import HandPair

MILLIMETRE = 1e-3
SHIFT = np.float32([0.01, 0, 0])


@dataclass(frozen=True, eq=False)
class BallsContext(HandContext):
    """A ball around each joint; (H,) radius in metres."""

    radius: Tensor

    def logits(self, points_palm: Tensor) -> Tensor:
        distance = torch.cdist(points_palm, self.hands.joints_palm).amin(-1)
        return (self.radius[:, None] - distance) / MILLIMETRE


class Balls(HandNetworks[Tensor, BallsContext]):
    """The least that a preset must have."""

    image_size, crop_margin = 32, 0.3

    @classmethod
    def load(cls, path):
        return cls(), {"file": path.name}

    def encode(self, pixels: Tensor) -> Tensor:
        return pixels.mean((2, 3))

    def initial_context(self, frame: EncodedFrame[Tensor], hands: CanonicalHands) -> BallsContext:
        return BallsContext(hands, torch.full((len(hands.wrist),), 0.02))


@dataclass(frozen=True, eq=False)
class UnmeasuredContext(BallsContext):
    """Balls that shrink once their surfaces are known."""

    surface_resolution = 32
    given: ClassVar[list] = []

    def with_surfaces(self, surfaces):
        self.given.append(surfaces)
        return BallsContext(self.hands, 0.75 * self.radius)


class RefinedBalls(Balls):
    """All that a preset can have."""

    stages = ("initial", "keypoints", "refinement")

    def hand_mask_probability(self, frame):
        return torch.full_like(frame.pixels[:, 0], 0.5)

    def refine_keypoints(self, frame, joints):
        moved = {side: hand + SHIFT for side, hand in joints.present.items()}
        return EstimatedJoints(
            HandPair(**moved), HandPair(**dict.fromkeys(moved, 0.5)), swapped=True
        )

    def refine_occupancy(self, frame, context):
        return UnmeasuredContext(context.hands, context.radius)


@pytest.fixture(autouse=True)
def presets(monkeypatch):
    monkeypatch.setitem(NETWORKS, "balls", Balls)
    monkeypatch.setitem(NETWORKS, "refined", RefinedBalls)
    monkeypatch.setattr(UnmeasuredContext, "given", [])


def radius(scene, side) -> float:
    """Distance of the field's 0.5 from the tip of the middle finger, on the way out."""
    tip, before = scene.keypoints[side][12], scene.keypoints[side][11]
    out = (tip - before) / np.linalg.norm(tip - before)
    distances = np.linspace(0, 0.03, 301)[:, None]
    inside = scene[side].occupancy((tip + distances * out).astype(np.float32)) > 0.5
    return float(distances[inside].max())


def test_the_least_preset_gives_fields_surfaces_and_confidence():
    model = Im2Hands.load("balls.safetensors", preset="balls", device="cpu")
    assert model.stages == ("initial",) and model.record == {"file": "balls.safetensors"}
    scene = model.encode(picture(), keypoints(), CAMERA)
    assert scene.confidence == HandPair(pytest.approx(1), pytest.approx(1)) and not scene.swapped
    assert np.array_equal(scene.keypoints.left, joints("left"))
    hands = scene.reconstruct(48)
    for side, surface in hands.items():
        assert surface.mesh.is_watertight and surface.mesh.volume > 0
        assert radius(scene, side) == pytest.approx(0.02, abs=2e-4)
    with pytest.raises(ValueError, match="the stage 'refinement'"):
        model.refine_occupancy = True


def test_every_stage_that_a_preset_has_takes_part():
    model = Im2Hands.load("balls.safetensors", preset="refined", device="cpu")
    scene = model.encode(picture(), {"right": joints("right")}, CAMERA)
    assert scene.swapped and scene.left is None and scene.keypoints.left is None
    assert np.allclose(scene.keypoints.right, joints("right") + SHIFT)
    assert scene.confidence.right == pytest.approx(0.25)
    assert radius(scene, "right") == pytest.approx(0.015, abs=2e-4)
    assert {"keypoints", "anchors", "refine"} <= set(scene.reconstruct(32).timings_ms)
    model.refine_keypoints = model.refine_occupancy = False
    scene = model.encode(picture(), {"right": joints("right")}, CAMERA)
    assert radius(scene, "right") == pytest.approx(0.02, abs=2e-4)


def test_initial_surfaces_are_given_once_in_the_camera_frame():
    model = Im2Hands.load("balls.safetensors", preset="refined", device="cpu")
    model.refine_keypoints = False
    scene = model.encode(picture(), keypoints(), CAMERA)
    assert not UnmeasuredContext.given
    scene.reconstruct(32)
    scene.left.occupancy(joints("left"))
    [surfaces] = UnmeasuredContext.given
    for side, surface in zip(scene.sides, surfaces, strict=True):
        distance = np.linalg.norm(surface.vertices[:, None] - joints(side), axis=-1).min(1)
        assert np.median(np.abs(distance - 0.02)) < 2e-4
        assert trimesh.Trimesh(*surface).volume > 0


def test_an_unknown_preset_is_named_with_the_choice():
    with pytest.raises(ValueError, match="preset 'huge' is unknown: use compact, paper, balls"):
        Im2Hands.load(preset="huge")
