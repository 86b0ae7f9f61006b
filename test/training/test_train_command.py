"""The command that trains: it starts, goes on and stops, and says how to go on."""

from __future__ import annotations

import json
import re
import signal

import pytest
import torch
from ball_scenes import BallScenes

from im2hands_ros import cli
from im2hands_ros.commands import train as command
from im2hands_ros.networks import checkpoints
from im2hands_ros.training.stages import STAGES
from im2hands_ros.training.trainer import Trainer


def lines(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def train(*arguments):
    return cli.main(["train", *map(str, arguments)])


@pytest.fixture
def balls(monkeypatch):
    monkeypatch.setattr(command, "SceneFolder", lambda folder: BallScenes(2, points=4700))


def test_the_command_trains_resumes_and_goes_on_from_weights(balls, tmp_path, capsys):
    short = ("--batch", 2, "--points", 64, "--keypoint-only-steps", 9, "--steps", 3, "--threads", 1)
    out = ("--data", tmp_path, "--out", tmp_path / "run")
    assert train("initial", *out, *short, "--until", 1) == 0
    assert train("initial", *out, *short) == 0
    assert "resuming" in capsys.readouterr().out
    assert [line["step"] for line in lines(tmp_path / "run")] == [1, 1, 2, 3, 3]
    best = tmp_path / "run/best.safetensors"
    record = checkpoints.record_of(best)
    assert record["plan"]["batches"]["points"] == 64 and "im2hands train initial" in str(record)
    further = ("--data", tmp_path, "--out", tmp_path / "more", "--weights", best)
    assert train("initial", *further, *short, "--learning-rate", 0, "--steps", 1) == 0
    again, origin = checkpoints.read(tmp_path / "more/best.safetensors")
    assert origin["began_with"]["sha256"] == checkpoints.sha256(best)
    before = checkpoints.read(best)[0]
    learned = [name for name in before if "running" not in name and "num_batches" not in name]
    assert learned and all(torch.allclose(again[name], before[name]) for name in learned)


def test_an_interrupted_command_says_how_to_go_on(balls, tmp_path, capsys, monkeypatch):
    def interrupted(self, *_):
        self.learner.step = 7
        return signal.SIGTERM

    monkeypatch.setattr(Trainer, "run", interrupted)
    assert train("initial", "--data", tmp_path, "--out", tmp_path) == 128 + signal.SIGTERM
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"stopped at step 7 of \d+, saved in .*latest.safetensors: the same command goes on.*", last
    )


@pytest.mark.parametrize("arguments", [(), ("hands",)])
def test_without_a_stage_the_command_names_them(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train(*arguments, "--data", tmp_path, "--out", tmp_path)
    error = capsys.readouterr().err
    assert all(name in error for name in STAGES) and error.count("\n") == 1
