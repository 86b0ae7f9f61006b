"""Runs a tool that trains one stage of the packaged weights, on scenes of balls."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from ball_scenes import BallScenes

from im2hands_ros.networks import checkpoints

WEIGHTS = Path(__file__).parents[2] / "im2hands_ros/data/weights/compact.safetensors"


def assert_only_the_stage_changes(
    tool: ModuleType, name: str, stage: str, patch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Two steps of a tool change tensors of its stage alone, and the record says how."""
    out = folder / "out.safetensors"
    patch.setattr(sys, "argv", [f"{name}.py", str(WEIGHTS), str(out), "balls=1", "--steps", "2"])
    patch.setattr(tool, "SceneFolder", lambda path: BallScenes(count=2))
    patch.setattr(tool, "SCENES", 2)
    tool.main()
    before, record = checkpoints.read(WEIGHTS)
    after, made = checkpoints.read(out)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert set(after) == set(before)
    assert changed and all(name.startswith(f"{stage}.") for name in changed)
    assert len(made["parts"]) == len(record["parts"]) + 1
    said = {"stage": stage, "command": f"tools/{name}.py balls=1", "steps": 2}
    assert made["parts"][-1] == said
