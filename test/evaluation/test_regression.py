"""A benchmark that has become slower is a regression, one of another machine is not compared."""

import copy
import json

import pytest

from im2hands_ros.cli import main
from im2hands_ros.commands import bench
from im2hands_ros.evaluation import regression

MACHINE = {"cpu": "Made Up 3000", "cores": 2, "threads": 1, "device": "cpu", "commit": "abc"}


def report(p95: float = 100.0, fine: float = 400.0, **machine: object) -> dict:
    stages = {"64": p95, "128": fine}
    return {
        "machine": MACHINE | machine,
        "frames": 30,
        "resolutions": {
            number: {"stages_ms": {"frame": {"median": 1.0, "p95": value}}}
            for number, value in stages.items()
        },
    }


@pytest.mark.parametrize(
    ("now", "slower"),
    [
        (report(), []),
        (report(114.9, 100.0), []),
        (report(115.1), ["64³ p95"]),
        (report(99.0, 461.0), ["128³ p95"]),
        (report(200.0, 800.0), ["64³ p95", "128³ p95"]),
    ],
)
def test_fifteen_percent_over_the_stored_95th_percentile_is_a_regression(now, slower) -> None:
    comparison = regression.compare(now, report(commit="other", torch="other"))
    assert comparison.slower == slower
    assert comparison.status == int(bool(slower))
    assert str(comparison).endswith(", ".join(slower) if slower else "no regression")


def test_another_device_is_named_and_not_compared() -> None:
    comparison = regression.compare(report(900.0, cpu="Slow 1", threads=4), report())
    assert comparison.status == 0
    assert str(comparison) == (
        "not compared, the stored benchmark is of another device: "
        "cpu Slow 1, stored Made Up 3000; threads 4, stored 1"
    )


def test_only_what_both_have_is_compared() -> None:
    stored = report()
    now = copy.deepcopy(stored)
    del now["resolutions"]["128"]
    assert len(regression.compare(now, stored).lines) == 1
    now["resolutions"] = {"32": stored["resolutions"]["64"]}
    with pytest.raises(ValueError, match="only 32³ p95 measured, only 64³ p95, 128³ p95 stored"):
        regression.compare(now, stored)


@pytest.mark.parametrize(("total", "status"), [(6.8, 0), (7.0, 1)])
def test_what_ros_costs_is_judged_by_its_processor_time(total, status) -> None:
    def ros(value: float) -> dict:
        case = {"processor_ms": {"total": value}, "answered_ms": {"p95": 50 * value}}
        return {"machine": MACHINE, "frames": 300, "cases": {"with_markers": case}}

    assert regression.compare(ros(total), ros(6.0)).status == status


def test_other_work_is_refused() -> None:
    with pytest.raises(ValueError, match="frames 30 against 20"):
        regression.compare(report(), report() | {"frames": 20})


@pytest.mark.parametrize(("took", "status"), [(100.0, 0), (116.0, 1)])
def test_the_command_measures_what_is_stored_and_ends_with_the_comparison(
    took, status, tmp_path, monkeypatch, capsys
) -> None:
    measured = []

    def measure(args, frames, resolutions):
        measured.append((frames, resolutions, args.threads))
        return report(took)

    monkeypatch.setattr(bench, "_measured", measure)
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps(report()))
    assert main(["bench", "--compare", str(stored)]) == status
    assert measured == [(30, [64, 128], 1)]
    assert "64³ p95: " in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{}", "[1]", "no json"])
def test_a_file_that_is_no_benchmark_is_one_line(text, tmp_path, capsys) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    assert main(["bench", "--compare", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"{path} is no benchmark" in error
    assert error.count("\n") == 1
