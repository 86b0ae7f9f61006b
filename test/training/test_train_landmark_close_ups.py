"""The close-ups of the detector's landmarks: what they are taught, and that the weights load."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import repository_tools
import torch
from stage_tools import WEIGHTS

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.close_up_refinement import Found
from im2hands_ros.networks.compact.landmark_close_ups import LandmarkCloseUps, held
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.camera_pictures import camera_pictures
from im2hands_ros.synthetic.sample import present


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("train_landmark_close_ups")


@pytest.fixture(scope="module")
def sample():
    """A training scene of two hands."""
    return next(
        it.sample
        for it in camera_pictures("train", 0, 20)
        if len(present(it.sample.keypoints)) == len(SIDES)
    )


@pytest.fixture(scope="module")
def looks(tool, sample):
    first = tool.started_from(WEIGHTS).eval()
    rng = np.random.default_rng(0)
    return tool.drawn_of(sample, ConditionedEncoder.load(), first, rng)


def test_a_scene_is_looked_at_twice_the_second_time_around_what_the_first_found(looks) -> None:
    once, again = looks
    assert torch.equal(once.begin, once.given) and torch.equal(again.given, once.given)
    moved = (again.begin - once.begin).norm(dim=-1)[once.present]
    assert 0.0002 < moved.mean() < 0.03
    assert not torch.equal(again.colours, once.colours)


def test_targets_are_seen_where_the_true_joints_are(tool, sample) -> None:
    true = {s: sample.camera.project(xyz) for s, xyz in present(sample.keypoints).items()}
    rough = {s: np.column_stack([x + 4.0, np.zeros(21)]) for s, x in true.items()}
    begun = held(rough, *sample.image.shape[1::-1])
    target = tool.target_of(sample, true, begun)[0].double().numpy()
    for side, xyz in present(sample.keypoints).items():
        place = target[SIDES.index(side)]
        assert np.allclose(begun.camera.project(place), true[side], atol=0.02)
        # Of a hand that is held at another distance, depth is as large as its width is.
        assert np.corrcoef(place[:, 2], xyz[:, 2])[0, 1] > 0.999


def test_the_truth_has_a_smaller_loss_than_what_is_begun_with(tool, looks) -> None:
    drawn = looks[0]
    spread, offsets = torch.full(drawn.begin.shape[:3], 0.002), torch.zeros(1, 2, 21, 3)
    begun, true = (
        tool.losses(Found(joints, spread, (joints, joints), offsets), drawn)
        for joints in (drawn.begin, drawn.target)
    )
    assert true < begun - 1


def test_a_scene_can_have_the_errors_of_another_one(tool, sample) -> None:
    first, errors, rng = tool.started_from(WEIGHTS).eval(), [], np.random.default_rng(0)
    encoder = ConditionedEncoder.load()
    drawn = [tool.drawn_of(sample, encoder, first, rng, errors)[0] for _ in range(2)]
    assert len(errors) == 2 and not torch.equal(drawn[0].begin, drawn[1].begin)
    off = [np.linalg.norm(hand[:, :2], axis=1).mean() for it in errors for hand in it.values()]
    begun = [_across(it).norm(dim=-1)[it.present].mean() for it in drawn]
    assert 0.5 * min(off) < min(begun) and max(begun) < 2 * max(off)


def _across(drawn) -> torch.Tensor:
    return (drawn.begin - drawn.target)[..., :2]


def test_errors_that_a_scene_gets_back_lie_where_they_lay(sample) -> None:
    tool, rng = repository_tools.tool("landmark_errors"), np.random.default_rng(0)
    size = sample.image.shape[1::-1]
    true = tool.landmarks_of(
        sample, {s: sample.camera.project(xyz) for s, xyz in present(sample.keypoints).items()}
    )
    off = {side: rng.normal(0, 5, hand.shape) for side, hand in true.items()}
    errors = tool.errors_of({side: true[side] + off[side] for side in true}, true, size)
    again = tool.erring(true, errors, rng, size)
    scales = np.concatenate([(again[side] - true[side]) / off[side] for side in true])
    assert np.allclose(scales, scales[0, 0], atol=1e-4)
    assert 0.4 < abs(scales[0, 0]) < 2.5


@pytest.mark.train
def test_trained_weights_are_those_of_a_detector(tool, looks, monkeypatch, tmp_path) -> None:
    out = tmp_path / "out.safetensors"
    command = ["x", str(WEIGHTS), str(out), "scenes=1", "--steps", "2"]
    command += ["--share", "0.7"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(tool, "drawn_in", lambda *given: iter(looks))
    monkeypatch.setattr(tool, "SCENES", 2)
    tool.main()
    LandmarkCloseUps.load(out)
    record = checkpoints.record_of(out)
    assert record["share"] == 0.7 and record["steps"] == 2
    assert record["command"].endswith("scenes=1")
    before = checkpoints.read(WEIGHTS)[0]
    trained = checkpoints.read(out)[0]
    changed = {n for n in trained if not torch.equal(trained[n], before[f"closeups.{n}"].half())}
    assert changed and not any(name.startswith("conv.") for name in changed)
