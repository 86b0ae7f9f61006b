"""The evaluation's means by subset, tables, and the command as a whole."""

import hashlib
import json
import shlex

import pytest
from stand_in_model import StandInModel

from im2hands_ros.cli import main
from im2hands_ros.evaluation.ablation import ablation_of, ablation_table
from im2hands_ros.evaluation.methods import methods_of
from im2hands_ros.evaluation.noise_levels import Configuration
from im2hands_ros.evaluation.report import COLUMNS, markdown, report_of
from im2hands_ros.evaluation.scoring import (
    SceneScores,
    mean_stages,
    summarise,
)
from im2hands_ros.pipeline import WEIGHTS
from im2hands_ros.provenance import describe
from im2hands_ros.synthetic.dataset import PointCounts, make_samples


@pytest.fixture
def standing_in(monkeypatch: pytest.MonkeyPatch) -> StandInModel:
    """What the command loads instead of weights: all stages, and the truth of its scenes."""
    model = StandInModel(list(make_samples("test", 0, 2, PointCounts(1, 1))))
    monkeypatch.setattr("im2hands_ros.pipeline.Im2Hands.load", lambda *_, **__: model)
    return model


def scene(subset: str, **scores: list[float]) -> SceneScores:
    return SceneScores(subset, scores, {})


def test_means_are_over_hands_by_subset_and_over_all_and_times_are_medians() -> None:
    means = summarise(
        [
            scene("interacting", iou=[0.8, 0.6], penetration_mm=[3.0], frame_ms=[100.0]),
            scene("single", iou=[1.0], frame_ms=[10.0]),
            scene("single", iou=[1.0], frame_ms=[11.0]),
        ]
    )
    assert list(means) == ["interacting", "single", "all"]
    assert means["interacting"] == {
        "hands": 2,
        "iou": 0.7,
        "penetration_mm": 3.0,
        "frame_ms": 100.0,
    }
    assert means["all"] == {"hands": 4, "iou": 0.85, "penetration_mm": 3.0, "frame_ms": 11.0}


def test_stage_times_are_means_over_the_frames_that_have_the_stage() -> None:
    scenes = [
        SceneScores("apart", {}, {"encode": 2.0, "refine": 5.0}),
        SceneScores("apart", {}, {"encode": 4.0}),
    ]
    assert mean_stages(scenes) == {"encode": 3.0, "refine": 5.0}


def test_tables_have_a_line_for_each_configuration_and_leave_out_what_was_not_measured() -> None:
    scored = {
        Configuration("network", 0): [scene("single", iou=[0.95], found=[1.0])],
        Configuration("capsules", 10): [scene("single", iou=[0.5], found=[1.0])],
        Configuration("fitted", None): [scene("single", iou=[0.4], found=[1.0])],
    }
    settings = {"scenes": 1, "split": "test", "hand": None, "resolution": 64}
    text = markdown(report_of(scored, settings, describe("cpu")))
    assert "| network | 0 | 1 | 0.950 | 100.0% |" in text
    assert "| capsules | 10 | 1 | 0.500 | 100.0% |" in text
    assert "| fitted | tracker | 1 | 0.400 | 100.0% |" in text
    assert "penetration" not in text
    assert "## interacting" not in text


def test_the_ablation_compares_stages_with_the_initial_ones_at_the_same_noise() -> None:
    base = {"noise_mm": 10, "iou": 0.5, "keypoints_in_mm": 16.0, "keypoints_out_mm": 16.0}
    better = base | {"iou": 0.62, "keypoints_out_mm": 8.0, "method": "keypoints+initial"}
    rows = [base | {"method": "initial", "subset": s} for s in ("interacting", "all")]
    rows += [better | {"subset": subset} for subset in ("interacting", "all")]
    rows[0]["penetration_cm3"], rows[2]["penetration_cm3"] = 2.0, 0.5
    change, *others = ablation_of(rows)
    assert not others
    assert change["iou_points"] == {"interacting": 12.0, "all": 12.0}
    assert (change["penetration_percent"], change["keypoints_percent"]) == (-75.0, -50.0)
    line = ablation_table([change])[-1]
    assert line == "| keypoints+initial | 10 | +12.0 | -75.0 % | -50.0 % |"


def test_the_command_reports_every_stage_and_baseline_and_how_to_repeat_it(
    standing_in, tmp_path, capsys
) -> None:
    out, pictures = tmp_path / "report.json", tmp_path / "pictures"
    arguments = ["--count", "2", "--noise", "10", "--out", str(out), "--pictures", str(pictures)]
    assert main(["evaluate", *arguments]) == 0
    report = json.loads(out.read_text())
    everything = {row["method"]: row for row in report["rows"] if row["subset"] == "all"}
    assert list(everything) == [*methods_of(standing_in), "capsules", "skinned", "fitted"]
    assert everything["fitted"]["iou"] > everything["capsules"]["iou"] > 0.3
    for row in everything.values():
        assert set(row) >= set(COLUMNS)
        assert row["frame_ms"] > 0
    table = out.with_suffix(".md").read_text()
    assert "| keypoints+initial+refinement | 10 | 3 | 1.000 | 1.000 | 0.00 | 1.000 |" in table
    assert "| keypoints+initial+refinement | 10 | +" in table.partition("## What stages change")[2]
    settings = report["settings"]
    assert settings["seeds"] == [3_000_000_000, 3_000_000_001]
    weights = (WEIGHTS / "compact.safetensors").read_bytes()
    assert settings["weights"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert report["machine"]["commit"]
    assert {row["method"] for row in report["stages_ms"]} == set(methods_of(standing_in))
    assert {path.name for path in pictures.iterdir()} == {"best.png", "median.png", "worst.png"}
    again = shlex.split(settings["command"])
    assert again[:2] == ["im2hands", "evaluate"] and "--noise" in again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "lots", "--out", "x.json"], "--noise lots: give millimetres"),
        (["--noise", "-1", "--out", "x.json"], "millimetres from 0 to 100"),
        (["--errors", "human", "--out", "x.json"], "'human' is not one of gaussian, tracker"),
        (["--methods", "magic", "--out", "x.json"], "'magic' is not one of network"),
        (["--out", "x.txt"], "give a .json file"),
        (["--count", "0", "--out", "x.json"], "--count 0: give at least 1"),
        (["--workers", "-1", "--out", "x.json"], "--workers -1: give at least 0"),
    ],
)
def test_bad_arguments_are_one_line_that_names_them(arguments, message, capsys) -> None:
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_without_shards_is_named_with_the_remedy(tmp_path, capsys) -> None:
    arguments = [
        "--data",
        str(tmp_path),
        "--methods",
        "capsules",
        "--out",
        str(tmp_path / "x.json"),
    ]
    assert main(["evaluate", *arguments]) == 2
    assert "im2hands synthesize --split test" in capsys.readouterr().err
