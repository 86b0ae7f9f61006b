"""The training of the search for a second hand: where it looks, what it is taught, its weights."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import repository_tools
import torch
from ball_scenes import BallScenes
from torch.nn import functional as F

from im2hands_ros.detection.second_hand import guesses_beside
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import (
    CONDITIONED_WEIGHTS,
    ConditionedEncoder,
)
from im2hands_ros.networks.compact.landmark_network import CODE_WIDTH, SeenLandmarks
from im2hands_ros.training.landmark_batches import collate_crops, in_picture


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("train_second_hand")


@pytest.fixture(scope="module")
def draws():
    return repository_tools.tool("second_hand_draws")


@pytest.fixture(scope="module")
def encoder():
    return ConditionedEncoder.load()


def places(scene) -> dict[str, np.ndarray]:
    return {side: joints[:, :2] for side, joints in in_picture(scene).items()}


def seen(landmarks: torch.Tensor) -> SeenLandmarks:
    """Nothing but where landmarks are seen, of hands that are there."""
    count = len(landmarks)
    sure, code = torch.full((count,), 0.999), torch.zeros(count, CODE_WIDTH)
    return SeenLandmarks(landmarks, sure, sure, landmarks, (), code)


def test_a_crop_shows_the_hand_where_it_is_near_the_guess_and_else_none(draws) -> None:
    scene = BallScenes(2)[0]
    true = places(scene)
    crop = draws.crop_around(scene, "left", true["left"] + 3.0, true["right"])
    assert crop.there and crop.both and crop.right
    assert np.allclose(crop.target[:, :2].mean(0), crop.hints[0].mean(0), atol=10)
    extent = np.ptp(true["left"], axis=0).max()
    assert not draws.crop_around(scene, "left", true["left"] + 2 * extent, true["right"]).there
    alone = BallScenes(2)[1]
    (first,) = places(alone).values()
    assert not draws.crop_around(alone, "right", first, first).there


def test_guesses_are_beside_the_first_hand_and_mostly_near_the_other(draws, encoder) -> None:
    scene, rng = BallScenes(1)[0], np.random.default_rng(0)
    first = {"right": places(scene)["right"]}
    beside, other = guesses_beside(first["right"], "right"), places(scene)["left"]
    drawn = [draws.guess(scene, encoder, first, rng) for _ in range(60)]
    known = [next((k for k, it in enumerate(beside) if np.array_equal(it, x)), -1) for x in drawn]
    off = [np.linalg.norm(it - other, axis=1).mean() for it in beside]
    nearest = set(np.argsort(off)[:3].tolist())
    assert 0.5 < np.mean([k in nearest for k in known]) < 0.95
    assert 0 < known.count(-1) < 20  # seen by the network, in a part of the first hand


def test_landmarks_fit_where_they_lie_on_the_hand_that_is_meant(tool, draws) -> None:
    scene = BallScenes(1)[0]
    true = places(scene)
    batch = collate_crops([draws.crop_around(scene, "left", true["left"], true["right"])] * 3)
    extent = float((batch.target[0, :, :2].amax(0) - batch.target[0, :, :2].amin(0)).norm())
    off = torch.tensor([0.0, 0.2, 0.3]) * extent
    there = batch.target + F.pad(off[:, None, None], (0, 2))
    assert tool.found(seen(there), batch).tolist() == [True, True, False]
    mistaken = batch._replace(right=torch.zeros(3))
    assert not tool.found(seen(there), mistaken).any()


def test_the_truth_known_to_be_one_has_the_least_loss(tool, draws) -> None:
    scene = BallScenes(1)[0]
    true = places(scene)
    batch = collate_crops([draws.crop_around(scene, "left", true["left"], true["right"])])
    beside, spread = torch.ones(1, dtype=torch.bool), torch.full((1, 21), 2.0)

    def loss(shift: float, odds: float) -> float:
        told = tool.Told(seen(batch.target + shift), spread, torch.tensor([odds]))
        return float(tool.loss_of(told, batch, beside))

    assert loss(0.0, 3.0) < loss(0.0, -3.0) - 1
    assert loss(0.0, 3.0) < loss(10.0, 3.0) - 1
    assert loss(80.0, -3.0) < loss(80.0, 3.0) - 1


@pytest.mark.train
def test_trained_weights_are_those_of_a_detector(tool, monkeypatch, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    command = ["x", str(CONDITIONED_WEIGHTS), str(out), "scenes=1", "--steps", "2"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(tool, "SceneFolder", lambda folder: BallScenes(4))
    monkeypatch.setattr(tool, "CROPS", 3)
    tool.main()
    ConditionedEncoder.load(out)
    assert checkpoints.record_of(out)["second_hand"]["steps"] == 2
    before, trained = checkpoints.read(CONDITIONED_WEIGHTS)[0], checkpoints.read(out)[0]
    assert set(before) == set(trained)
    changed = {name for name in trained if not torch.equal(trained[name], before[name])}
    frozen = ("landmarks.network.stem.", "landmarks.network.blocks.0.", "landmarks.network.shape.")
    assert "fits.weight" in changed and not any(name.startswith(frozen) for name in changed)
