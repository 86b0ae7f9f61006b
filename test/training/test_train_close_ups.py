"""The refinement by close-ups trained by itself."""

import sys
from pathlib import Path

import pytest
import repository_tools
import torch
from ball_scenes import BallScenes

from im2hands_ros.networks import checkpoints

WEIGHTS = Path(__file__).parents[2] / "im2hands_ros/data/weights/compact.safetensors"


@pytest.mark.train
def test_only_the_close_ups_change_and_the_record_says_how(monkeypatch, tmp_path) -> None:
    tool = repository_tools.tool("train_close_ups")
    out = tmp_path / "out.safetensors"
    command = ["train_close_ups.py", str(WEIGHTS), str(out), "balls=1", "--steps", "2"]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(tool, "SceneFolder", lambda path: BallScenes(count=2))
    monkeypatch.setattr(tool, "SCENES", 2)
    tool.main()
    before, record = checkpoints.read(WEIGHTS)
    after, made = checkpoints.read(out)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert set(after) == set(before)
    assert changed and all(name.startswith("closeups.") for name in changed)
    assert len(made["parts"]) == len(record["parts"]) + 1
    assert made["parts"][-1] | {"command": ""} == {"stage": "closeups", "command": "", "steps": 2}
