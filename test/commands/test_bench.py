"""The benchmark runs from end to end and reports every stage beside the dense evaluation."""

import json

import pytest
import torch

from im2hands_ros.cli import main
from im2hands_ros.evaluation import detector_cost
from im2hands_ros.evaluation.against_torch import models
from im2hands_ros.evaluation.benchmark import STAGES
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.pipeline import Im2Hands


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


def test_frames_with_depth_images_have_the_time_of_their_stage(weights, tmp_path, capsys):
    out = tmp_path / "bench.json"
    arguments = ["--frames", "1", "--resolutions", "32", "--device", "cpu", "--dense-up-to", "0"]
    arguments += ["--weights", str(weights), "--depth", "realsense", "--out", str(out)]
    assert main(["bench", *arguments]) == 0
    report = json.loads(out.read_text())
    assert report["depth"] == "realsense"
    assert report["resolutions"]["32"]["stages_ms"]["depth"]["median"] > 0
    assert ", depth " in capsys.readouterr().out


def test_the_kernels_are_compared_with_torch_by_turns(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IM2HANDS_KERNELS", "torch")  # both are measured, whatever it says
    out = tmp_path / "bench.json"
    arguments = ["--frames", "2", "--resolutions", "32", "--device", "cpu", "--dense-up-to", "0"]
    arguments += ["--weights", str(weights), "--against", "torch", "--out", str(out)]
    assert main(["bench", *arguments]) == 0
    report = json.loads(out.read_text())
    row = report["resolutions"]["32"]["against_torch"]
    assert row["surfaces"] == row["same_triangles"] > 0
    assert row["vertices_mm"] < 0.01
    assert row["faster_median"] == pytest.approx(
        row["torch"]["median"] / row["native"]["median"], abs=0.01
    )
    assert len(row["load"]) == 2 and report["kernels"] == "native"
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.endswith(f"{row['faster_min']}x, median {row['faster_median']}x")


def test_the_published_order_of_work_gives_the_same_surfaces_by_turns(weights, tmp_path, capsys):
    out = tmp_path / "bench.json"
    arguments = ["--frames", "1", "--resolutions", "32", "--device", "cpu", "--dense-up-to", "0"]
    arguments += ["--weights", str(weights), "--against", "reference", "--profile"]
    assert main(["bench", *arguments, "--out", str(out)]) == 0
    measured = json.loads(out.read_text())["resolutions"]["32"]
    row, profile = measured["against_reference"], measured["profile"]
    ours, reference = row["ours"], row["reference"]
    assert reference["volume_cm3"] == pytest.approx(ours["volume_cm3"], rel=0.05)
    assert reference["points"] > 30**3 and reference["resolution"] <= 440 / ours["cell_mm"]
    assert row["faster_median"] == pytest.approx(reference["median"] / ours["median"], rel=0.01)
    assert profile["search"]["points"] > 0 and profile["frame"]["torch_calls"] > 0
    assert profile["search"]["mflop"] == pytest.approx(
        profile["search"]["points"] * profile["search"]["kflop_per_point"] / 1e3, rel=0.01
    )
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.endswith(f"{row['faster_min']}x, median {row['faster_median']}x")


def test_the_detector_is_measured_in_a_stream_and_in_pictures(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(detector_cost, "_MOST_PICTURES", 2)
    out = tmp_path / "bench.json"
    assert main(["bench", "--detector", "--frames", "4", "--threads", "1", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["detector"]
    assert rows["followed"]["frames"] == 4 and rows["by_itself"]["frames"] >= 2
    assert all(row["processor_ms"]["median"] > 0 for row in rows.values())
    assert main(["bench", "--detector", "--compare", str(out), "--out", str(out)]) in (0, 1)
    assert "detector, followed p95:" in capsys.readouterr().out


def test_what_has_no_kernels_cannot_be_compared_with_torch():
    with pytest.raises(ValueError, match="no kernels"):
        models(lambda: Im2Hands.load(device="cpu", precision="bf16"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--resolutions", "big"], "--resolutions big"), (["--frames", "0"], "--frames 0")],
)
def test_bad_arguments_are_one_line(arguments, message, tmp_path, capsys) -> None:
    assert main(["bench", *arguments, "--out", str(tmp_path / "x.json")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
