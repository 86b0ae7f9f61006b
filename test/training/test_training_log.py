"""The log of a training run: its lines, and its events as TensorBoard reads them."""

from __future__ import annotations

import json
import math
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from im2hands_ros.training.run_log import NO_TENSORBOARD, RunLog


def scalars(folder):
    """Tag -> {step: value}, as TensorBoard shows them."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def test_a_run_logs_losses_rate_and_validation(tmp_path):
    with RunLog(tmp_path, "initial", 4, 6, quiet=False) as log:
        log.step(5, {"mask": 0.25}, 1e-3)
        log.validation(5, {"iou": 0.5})
        log.step(6, {"mask": math.nan}, 1e-3)
    found = scalars(tmp_path)
    assert found.keys() == {"loss/mask", "learning_rate", "validation/iou"}
    assert found["learning_rate"] == pytest.approx({5: 1e-3, 6: 1e-3})
    assert found["validation/iou"] == {5: 0.5}
    assert found["loss/mask"][5] == 0.25 and math.isnan(found["loss/mask"][6])
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3


def test_a_resumed_run_voids_the_events_after_its_checkpoint(tmp_path):
    with RunLog(tmp_path, "initial", 0, 9, quiet=False) as log:
        for step in (1, 2, 3, 4):
            log.step(step, {"mask": 0.25}, 1e-3)
    with RunLog(tmp_path, "initial", 2, 9, quiet=False) as log:
        log.step(3, {"mask": 0.5}, 1e-3)
    assert scalars(tmp_path)["loss/mask"] == {1: 0.25, 2: 0.25, 3: 0.5}


def test_without_tensorboard_the_run_says_so_and_writes_its_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with RunLog(tmp_path, "initial", 0, 2, quiet=False) as log:
        log.step(1, {"mask": 0.25}, 1e-3)
        log.validation(1, {"iou": 0.5})
    assert NO_TENSORBOARD in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    assert logged(tmp_path) == [(1, False), (1, True)]


def logged(folder):
    return [
        (entry["step"], "validation" in entry)
        for entry in map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    ]


def test_a_resumed_run_drops_the_lines_after_its_checkpoint(tmp_path):
    with RunLog(tmp_path, "initial", 0, 9, quiet=False) as log:
        for step in (1, 2, 3, 4):
            log.step(step, {"mask": 0.25}, 1e-3)
            if step % 2 == 0:
                log.validation(step, {"iou": 0.5})
    with (tmp_path / "log.jsonl").open("a") as lines:
        lines.write('{"time": 1.0, "st')  # the crash
    with RunLog(tmp_path, "initial", 3, 9, quiet=False, validated=2) as log:
        log.step(4, {"mask": 0.25}, 1e-3)
    assert logged(tmp_path) == [(1, False), (2, False), (2, True), (3, False), (4, False)]


def test_a_validation_that_the_checkpoint_does_not_know_is_dropped(tmp_path):
    """It was logged, and then the run ended before it saved that."""
    with RunLog(tmp_path, "initial", 0, 9, quiet=False) as log:
        log.step(1, {"mask": 0.25}, 1e-3)
        log.validation(1, {"iou": 0.5})
    with RunLog(tmp_path, "initial", 1, 9, quiet=False, validated=0) as log:
        log.validation(1, {"iou": 0.5})
    assert logged(tmp_path) == [(1, False), (1, True)]


def test_a_quiet_log_leaves_nothing(tmp_path, capsys):
    with RunLog(tmp_path / "run", "initial", 0, 2, quiet=True) as log:
        log.step(1, {"mask": 0.25}, 1e-3)
        log.validation(1, {"iou": 0.5})
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr() == ("", "")
