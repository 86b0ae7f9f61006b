"""Landmarks moved by close-ups: hands before a camera made for them, and where they come to lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from two_hands import CAMERA, joints, picture

from im2hands_ros.kernels import choice, library
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.close_up_refinement import Found
from im2hands_ros.networks.compact.close_ups import CloseUps
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.landmark_close_ups import WEIGHTS, LandmarkCloseUps, held
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

WIDTH, HEIGHT = CAMERA.width, CAMERA.height


@pytest.fixture
def landmarks() -> dict[str, np.ndarray]:
    """Per side (21, 3) pixels and relief of the two hands of `picture`."""
    hands = {side: np.asarray(joints(side), np.float64) for side in SIDES}
    farther = {s: (x[:, 2] / x[:, 2].mean() - 1) * CAMERA.fx for s, x in hands.items()}
    return {s: np.column_stack([CAMERA.project(x), farther[s]]) for s, x in hands.items()}


class Moves(nn.Module):
    """Moves all joints by the same."""

    def __init__(self, by: tuple[float, float, float], spread: float = 0.001) -> None:
        super().__init__()
        self.identity, self.by = nn.Parameter(torch.zeros(1)), torch.tensor(by)
        self.spread = spread

    def forward(self, shown: CloseUps, begin: CoarseHands, given: Tensor) -> Found:
        moved = begin.joints + self.by
        return Found(moved, torch.full(moved.shape[:3], self.spread), (), moved)


def moved_by(network: nn.Module, hands: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with choice.kernels_wanted("torch"):
        close_ups = LandmarkCloseUps(network)
    return close_ups(picture(), hands)


def test_hands_are_held_where_the_picture_shows_them(landmarks) -> None:
    camera, given, _ = held(landmarks, WIDTH, HEIGHT)
    for slot, side in enumerate(SIDES):
        places = given.joints[0, slot].double().numpy()
        assert np.allclose(camera.project(places), landmarks[side][:, :2], atol=0.01)


@pytest.mark.parametrize("sides", [SIDES, ("left",), ("right",)])
def test_a_larger_picture_elsewhere_shows_the_same_hands(landmarks, sides) -> None:
    hands = {side: landmarks[side] for side in sides}
    larger = {side: 2.5 * hand + (40, -30, 7) for side, hand in hands.items()}
    first, second = (held(each, WIDTH, HEIGHT).given for each in (hands, larger))
    assert torch.allclose(first.joints, second.joints, atol=1e-5)
    assert [side for slot, side in enumerate(SIDES) if first.present[0, slot]] == list(sides)


def test_the_smaller_of_two_hands_is_held_farther_away(landmarks) -> None:
    middle = landmarks["left"].mean(0)
    landmarks["left"] = middle + 0.6 * (landmarks["left"] - middle)
    left, right = held(landmarks, WIDTH, HEIGHT).given.joints[0, :, :, 2].mean(1)
    assert 1.05 < left / right < 1 / 0.6


def test_landmarks_move_as_their_joints_do(landmarks) -> None:
    camera, given, units = held(landmarks, WIDTH, HEIGHT)
    for side, hand in moved_by(Moves((0.01, 0.0, 0.0)), landmarks).items():
        depth = given.joints[0, SIDES.index(side), :, 2].numpy()
        across = hand[:, :2] - landmarks[side][:, :2]
        assert np.allclose(across[:, 0], 0.01 * camera.fx / depth, atol=0.01)
        assert np.allclose(across[:, 1], 0, atol=0.01)
        assert np.allclose(hand[:, 2], landmarks[side][:, 2], atol=0.05)
        assert units[side] * hand[:, 2].std() == pytest.approx(depth.std(), rel=0.01)


def test_hands_that_close_ups_are_unsure_of_stay(landmarks) -> None:
    unsure = Moves((0.01, 0.0, 0.0), spread=0.01)
    for side, hand in moved_by(unsure, landmarks).items():
        assert np.array_equal(hand, landmarks[side])


def test_hands_beside_the_picture_stay(landmarks) -> None:
    beside = {side: hand + (5000, 0, 0) for side, hand in landmarks.items()}
    for side, hand in moved_by(Moves((0.01, 0.0, 0.0)), beside).items():
        assert np.array_equal(hand, beside[side])


def test_without_hands_nothing_is_looked_at() -> None:
    assert moved_by(Moves((0.01, 0.0, 0.0)), {}) == {}


def test_the_packaged_weights_are_in_half_precision_and_in_the_notice() -> None:
    tensors, record = checkpoints.read(WEIGHTS)
    floats = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    assert floats == {torch.float16} and record["licence"] == "Apache-2.0"
    assert f"weights/{WEIGHTS.name}\n" in (WEIGHTS.parents[1] / "NOTICE").read_text()


@pytest.mark.skipif(library.best() is None, reason="no compiled library")
def test_the_library_and_torch_move_landmarks_alike(landmarks) -> None:
    native = LandmarkCloseUps.load()
    with choice.kernels_wanted("torch"):
        plain = LandmarkCloseUps.load()
    assert type(native.network) is not type(plain.network)
    for side, hand in native(picture(), landmarks).items():
        assert np.allclose(hand, plain(picture(), landmarks)[side], atol=0.05)


def test_rough_landmarks_come_nearer_to_the_truth() -> None:
    sequence, close_ups = load_demo_sequence(), LandmarkCloseUps.load()
    rng, errors = np.random.default_rng(0), []
    for number in (0, 30, 60):
        frame = sequence.frames[number]
        true = {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}
        depth = {s: x[:, 2] / x[:, 2].mean() - 1 for s, x in frame.true_keypoints.items()}
        rough = {
            s: np.column_stack([x + rng.normal(0, 5, x.shape), depth[s] * sequence.camera.fx])
            for s, x in true.items()
        }
        for side, hand in close_ups(frame.image, rough).items():
            pair = (rough[side], hand)
            errors.append([np.linalg.norm(x[:, :2] - true[side], axis=1).mean() for x in pair])
    before, after = np.mean(errors, axis=0)
    assert after < 0.8 * before
