"""The benchmark of what ROS costs a frame runs from end to end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.timeout(240)
def test_every_part_of_a_frame_is_measured_and_every_frame_answered(tmp_path):
    out = tmp_path / "ros.json"
    arguments = ["bench", "--ros", "--frames", "5", "--out", str(out)]
    subprocess.run([sys.executable, "-m", "im2hands_ros.cli", *arguments], check=True)
    report = json.loads(out.read_text())
    assert (report["image"], report["triangles"], report["voxels"]) == ([640, 480], 20480, 5000)
    assert list(report["cases"]) == ["with_markers", "without_markers"]
    for case in report["cases"].values():
        spent = case["processor_ms"]
        assert set(spent) == {"executor", "worker", "transport", "total"}
        assert min(spent.values()) > 0
        assert spent["total"] == pytest.approx(sum(spent.values()) / 2, abs=0.02)
        assert case["unanswered"] == 0
