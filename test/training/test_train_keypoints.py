"""The keypoint refinement trained further beside an image encoder that stays."""

import sys
from pathlib import Path

import numpy as np
import pytest
import repository_tools
import torch
from ball_scenes import BallScenes

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.networks import CompactNetworks

WEIGHTS = Path(__file__).parents[2] / "im2hands_ros/data/weights/compact.safetensors"


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("train_keypoints")


@pytest.mark.train
def test_only_the_refinement_changes_and_the_record_says_how(tool, monkeypatch, tmp_path) -> None:
    out = tmp_path / "out.safetensors"
    command = ["train_keypoints.py", str(WEIGHTS), str(out), "balls=1", "--steps", "2"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(tool, "SceneFolder", lambda path: BallScenes(count=2))
    monkeypatch.setattr(tool, "SCENES", 2)
    tool.main()
    before, record = checkpoints.read(WEIGHTS)
    after, made = checkpoints.read(out)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert set(after) == set(before)
    assert changed and all(name.startswith("keypoints.") for name in changed)
    assert len(made["parts"]) == len(record["parts"]) + 1
    assert made["parts"][-1] | {"command": ""} == {"stage": "keypoints", "command": "", "steps": 2}


def test_a_scene_is_seen_as_the_encoder_sees_its_crop(tool) -> None:
    encoder = CompactNetworks.load(WEIGHTS)[0].initial.encoder.eval()
    scene = BallScenes(count=1)[0]
    one, same = (tool.seen(encoder, scene, np.random.default_rng(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.features, same.features, strict=True))
    assert one.features.pixels.shape[-2:] == (48, 48)
    joints = torch.from_numpy(np.concatenate(list(one.keypoints.values()))).float()
    pixels = joints @ one.intrinsics[0].T
    assert ((pixels[:, :2] / pixels[:, 2:] - 96).abs() < 160).all()
