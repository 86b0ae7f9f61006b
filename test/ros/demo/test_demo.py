"""The demo: three real processes over DDS, with balls in place of hands and their networks."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import psutil
import pytest
import trimesh
from ball_hands import FRAMES, sequence
from made_bags import read

from im2hands_ros.commands.demo import add_arguments, play_and_report
from im2hands_ros.ros.demo.commands import commands

STAND_INS = Path(__file__).resolve().parents[2] / "support" / "ball_hands.py"
PATIENCE = 100.0  # seconds: an idle machine takes two, a busy one many


def options(out: Path, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--out", str(out), "--rate", "4", *arguments])


def stand_ins(args: argparse.Namespace) -> dict[str, list[str]]:
    """The usual node and replay with the stand-in for their module."""
    usual = commands(args)
    return {
        name: [sys.executable, str(STAND_INS), name, *usual[name][4:]]
        for name in ("node", "replay")
    }


def test_the_demo_leaves_pictures_a_bag_and_figures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = options(tmp_path)
    assert play_and_report(args, sequence(), stand_ins(args)) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    frames, accuracy = summary["frames"], summary["accuracy"]
    assert (frames["sent"], frames["answered"], frames["unanswered"]) == (FRAMES, FRAMES, 0)
    assert frames["recorded"] == {
        **dict.fromkeys(("image", "camera_info", "keypoints"), FRAMES),
        **dict.fromkeys(("meshes", "refined_keypoints"), FRAMES),
        "left/wrist_pose": FRAMES - 1,
        "right/wrist_pose": FRAMES,
        **{topic: frames["recorded"][topic] for topic in ("markers", "occupancy")},
    }
    for topic in ("markers", "occupancy"):  # one more when the hands have gone
        assert FRAMES <= frames["recorded"][topic] <= FRAMES + 1
    opened = read(tmp_path / "bag")  # by a library that has only the file to go by
    counts = {topic.lstrip("/"): len(messages) for topic, messages in opened.items()}
    assert counts.pop("diagnostics") > 0
    assert counts == frames["recorded"]
    assert summary["surfaces"] == {
        "meshes": 2 * FRAMES - 1,
        "watertight": 2 * FRAMES - 1,
        "positive_volume": 2 * FRAMES - 1,
    }
    assert accuracy["left"]["hands"] == FRAMES - 1
    assert accuracy["right"]["iou"] == pytest.approx(1, abs=1e-3)
    assert accuracy["right"]["chamfer_mm"] < 0.01
    assert 20 <= summary["latency_ms"]["median"] < 2000
    assert summary["stages_ms"]["search"]["median"] == 20
    assert set(trimesh.load(tmp_path / "last_frame.glb").geometry) == {"left", "right"}
    assert cv2.imread(str(tmp_path / "contact_sheet.png")).shape[1] > FRAMES * 300
    assert (tmp_path / "bag" / "metadata.yaml").is_file()
    assert "| right hand | 1.000 | 0.00 |" in capfd.readouterr().out


def test_an_earlier_run_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "old.mcap").touch()
    (tmp_path / "mine.txt").touch()
    args = options(tmp_path)
    broken = {"node": [sys.executable, "-c", "print('no weights here'); exit(7)"]}
    assert play_and_report(args, sequence(), stand_ins(args) | broken) == 1
    assert (tmp_path / "mine.txt").exists()
    assert not (tmp_path / "bag" / "old.mcap").exists()


def test_a_process_that_dies_is_reported_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = options(tmp_path)
    broken = {"node": [sys.executable, "-c", "print('no weights here'); exit(7)"]}
    assert play_and_report(args, sequence(), stand_ins(args) | broken) == 1
    message = capfd.readouterr().err
    assert "node ended with status 7" in message
    assert "| no weights here" in message


def test_an_interrupted_demo_leaves_a_complete_bag_and_no_process(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.append({str(STAND_INS.parent)!r}); "
        "import test_demo as t; from pathlib import Path; "
        f"a = t.options(Path({str(tmp_path)!r}), '--rate', '0.5'); "
        "sys.exit(t.play_and_report(a, t.sequence(), t.stand_ins(a)))"
    )
    paths = os.pathsep.join([str(STAND_INS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    demo = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment
    )
    log = tmp_path / "log" / "replay.log"
    deadline = time.monotonic() + PATIENCE
    try:
        while not log.exists():
            assert time.monotonic() < deadline, "the demo does not come to replaying"
            time.sleep(0.1)
        children = psutil.Process(demo.pid).children()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) == 130
    finally:
        demo.kill()
    assert len(children) == 3
    assert not any(child.is_running() for child in children)
    assert (tmp_path / "bag" / "metadata.yaml").is_file()


def test_a_node_that_never_wakes_ends_the_demo(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = options(tmp_path, "--start-timeout", "1")
    asleep = {"node": [sys.executable, "-c", "import time; time.sleep(60)"]}
    assert play_and_report(args, sequence(), stand_ins(args) | asleep) == 1
    assert "loading the model took more than 1 s" in capfd.readouterr().err
