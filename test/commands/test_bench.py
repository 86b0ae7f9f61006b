"""The benchmark runs from end to end and reports every stage beside the dense evaluation."""

import json

import pytest
import torch

from im2hands_ros.cli import main
from im2hands_ros.evaluation.benchmark import STAGES
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.networks import CompactNetworks


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    checkpoints.write(CompactNetworks(stages=("initial",)).state_dict(), path, {"steps": 0})
    return path


def test_the_command_writes_stages_ratio_and_machine(weights, tmp_path, capsys) -> None:
    out = tmp_path / "bench.json"
    arguments = ["--frames", "1", "--resolutions", "32", "--device", "cpu"]
    assert main(["bench", *arguments, "--weights", str(weights), "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    measured = report["resolutions"]["32"]
    assert set(measured["stages_ms"]) == {*STAGES, "frame"}
    assert measured["stages_ms"]["frame"]["median"] >= measured["stages_ms"]["search"]["median"] > 0
    # The border of the lattice is outside by definition and not evaluated.
    assert measured["dense_points"] == 2 * 31**3
    assert measured["search_points"] < measured["dense_points"]
    assert {"cpu", "cores", "torch", "commit"} <= set(report["machine"])
    assert "32³:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--resolutions", "big"], "--resolutions big"), (["--frames", "0"], "--frames 0")],
)
def test_bad_arguments_are_one_line(arguments, message, tmp_path, capsys) -> None:
    assert main(["bench", *arguments, "--out", str(tmp_path / "x.json")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
