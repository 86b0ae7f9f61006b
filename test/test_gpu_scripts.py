"""What is run where a GPU is at hand, tried on a CPU with a few frames and scenes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(out: Path, *command: str, **variables: str) -> str:
    made = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OUT": str(out)} | variables,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.mark.timeout(800)
def test_the_check_measures_every_kind_of_frame(tmp_path):
    said = run(tmp_path, "scripts/gpu_check.sh", "--dry-run")
    assert "not run: no GPU" in said and "done" in said
    report = json.loads((tmp_path / "frame_gpu.json").read_text())
    rows = report["rows"]
    assert rows and report["machine"]["device"] == "cpu"
    assert rows[0]["preset"] == "compact" and rows[0]["overflows"] == 0
    assert 0 < rows[0]["median_ms"] <= rows[0]["p95_ms"] <= rows[0]["p99_ms"]
    assert rows[-1] == {"left_out": "no time"} or rows[-1]["preset"] == "paper"


@pytest.mark.timeout(1600)
def test_training_ends_with_weights_in_small_parts(tmp_path):
    variables = {"IM2HANDS_GPU_DIR": str(tmp_path / "work")}
    said = run(tmp_path, "scripts/gpu_train.sh", "render", "--dry-run", **variables)
    assert re.search(r"steps a second: initial [\d.]+ keypoints [\d.]+ refinement [\d.]+", said)
    run(tmp_path, "scripts/gpu_train.sh", "train", "--dry-run", **variables)
    parts = sorted(tmp_path.glob("weights.safetensors.part*"))
    assert len(parts) > 1 and all(part.stat().st_size <= 16 * 2**20 for part in parts)
    joined = b"".join(part.read_bytes() for part in parts)
    said_sum = (tmp_path / "weights.sha256").read_text().split()[0]
    assert hashlib.sha256(joined).hexdigest() == said_sum
    assert len(list(tmp_path.iterdir())) <= 9  # with the folder of this test's own


@pytest.mark.parametrize("name", ["gpu_check.sh", "gpu_train.sh"])
def test_without_a_gpu_they_say_what_is_missing(name, tmp_path):
    made = subprocess.run(
        [f"scripts/{name}", *(["render"] if "train" in name else [])],
        cwd=ROOT,
        env=os.environ | {"OUT": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 1 and "no GPU" in made.stderr and "--dry-run" in made.stderr


def test_training_names_its_two_phases(tmp_path):
    made = subprocess.run(
        ["scripts/gpu_train.sh"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 1 and "render or train" in made.stderr


def test_training_before_scenes_are_drawn_names_the_remedy(tmp_path):
    made = subprocess.run(
        ["scripts/gpu_train.sh", "train", "--dry-run"],
        cwd=ROOT,
        env=os.environ | {"OUT": str(tmp_path / "o"), "IM2HANDS_GPU_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 1 and "gpu_train.sh render" in made.stderr
