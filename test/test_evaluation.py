"""The evaluation's bookkeeping: noise, means by subset, tables, and the command from end to end."""

import json

import numpy as np
import pytest

from im2hands_ros.cli import main
from im2hands_ros.evaluation.report import markdown, report_of
from im2hands_ros.evaluation.scoring import Condition, case_of, summarise
from im2hands_ros.synthetic.dataset import PointCounts, make_samples


def test_noise_is_gaussian_the_same_every_time_and_only_on_the_keypoints() -> None:
    sample = next(make_samples("test", 0, 1, PointCounts(8, 32)))
    case, again = case_of(sample, 10.0, 8), case_of(sample, 10.0, 8)
    for side in case.sides:
        noise = case.keypoints[side] - sample.keypoints[side]
        np.testing.assert_array_equal(case.keypoints[side], again.keypoints[side])
        assert 0.006 < noise.std() < 0.014
        np.testing.assert_array_equal(case.points[side], sample.points[side][8:])
        exact = case_of(sample, 0.0, 8).keypoints[side]
        np.testing.assert_array_equal(exact, sample.keypoints[side])


def test_means_are_over_hands_by_subset_and_over_all() -> None:
    means = summarise(
        [
            ("interacting", {"iou": [0.8, 0.6], "penetration_mm": [3.0]}),
            ("single", {"iou": [1.0]}),
        ]
    )
    assert list(means) == ["interacting", "single", "all"]
    assert means["interacting"] == {"hands": 2, "iou": 0.7, "penetration_mm": 3.0}
    assert means["all"] == {"hands": 3, "iou": 0.8, "penetration_mm": 3.0}


def test_tables_have_a_line_for_each_condition_and_leave_out_what_was_not_measured() -> None:
    scored = {
        Condition("network", 0): [("single", {"iou": [0.95], "found": [1.0]})],
        Condition("capsules", 10): [("single", {"iou": [0.5], "found": [1.0]})],
    }
    settings = {"scenes": 1, "split": "test", "resolution": 64}
    text = markdown(report_of(scored, settings, "cpu"))
    assert "| network | 0 | 1 | 0.950 | 100.0% |" in text
    assert "| capsules | 10 | 1 | 0.500 | 100.0% |" in text
    assert "penetration" not in text
    assert "## interacting" not in text


def test_the_command_writes_scores_of_the_baselines(tmp_path, capsys) -> None:
    out = tmp_path / "report.json"
    arguments = [
        "--count",
        "2",
        "--methods",
        "capsules,fitted",
        "--noise",
        "0",
        "--out",
        str(out),
    ]
    assert main(["evaluate", *arguments]) == 0
    report = json.loads(out.read_text())
    everything = {row["method"]: row for row in report["rows"] if row["subset"] == "all"}
    assert everything["fitted"]["iou"] > everything["capsules"]["iou"] > 0.6
    assert everything["fitted"]["watertight"] == everything["capsules"]["watertight"] == 1
    assert "| fitted | 0 |" in out.with_suffix(".md").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--noise", "lots", "--out", "x.json"], "--noise lots: give millimetres"),
        (["--noise", "-1", "--out", "x.json"], "millimetres from 0 to 100"),
        (["--methods", "magic", "--out", "x.json"], "'magic' is not one of network"),
        (["--out", "x.txt"], "give a .json file"),
        (["--count", "0", "--out", "x.json"], "--count 0: give at least 1"),
    ],
)
def test_bad_arguments_are_one_line_that_names_them(arguments, complaint, capsys) -> None:
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
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
