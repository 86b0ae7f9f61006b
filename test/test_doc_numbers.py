"""The numbers of README.md and docs/numbers.md are those of the files in docs/benchmarks/."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from doc_pages import ROOT

PAGE = (ROOT / "docs/numbers.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPORTS = {
    "packaged": "accuracy_test.json",
    "WebXR's": "accuracy_webxr_hand.json",
    "Leap Motion's": "accuracy_leap_hand.json",
}
METHODS = {
    "all three stages": "keypoints+initial+refinement",
    "without keypoint refinement": "initial+refinement",
    "without two-hand refinement": "keypoints+initial",
    "initial occupancy alone": "initial",
    "capsules on the keypoints": "capsules",
    "template hand skinned to the keypoints": "skinned",
    "template hand fitted to the keypoints": "fitted",
}
BASELINES = ("capsules", "skinned", "fitted")
# Column -> field, subset of scenes, and which of several values is the best.
FIELDS = {
    "IoU": ("iou", "all", max),
    "Chamfer-L1": ("chamfer_mm", "all", min),
    "overlap": ("penetration_cm3", "interacting", min),
    "joints": ("keypoints_out_mm", "all", min),
}


@cache
def report(name: str) -> Any:
    return json.loads((ROOT / "docs/benchmarks" / name).read_text(encoding="utf-8"))


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Head and rows of each table, emphasis taken off."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        lines = block.replace("**", "").splitlines()
        head, _, *rows = ([c.strip() for c in line.strip("|").split("|")] for line in lines)
        yield head, rows


def accuracy_cells() -> list[Any]:
    """A parameter set for each number: hand, method, column, and what the table says."""
    found: list[Any] = []
    for page, text in {"README.md": README, "docs/numbers.md": PAGE}.items():
        for head, rows in tables(text):
            if head[:2] != ["hand", "method"]:
                continue
            hand = ""
            for name, method, *cells in rows:
                hand = re.sub(r" \(.*\)", "", name) or hand
                for column, cell in zip(head[2:], cells, strict=True):
                    label = f"{page} {hand} {method} {column}"
                    found.append(pytest.param(hand, method, column, cell, id=label))
    return found


@pytest.mark.parametrize(("hand", "method", "column", "cell"), accuracy_cells())
def test_an_accuracy_is_the_measured_one(hand: str, method: str, column: str, cell: str) -> None:
    kind, _, noise = re.sub(r" noise$", "", column).partition(" at ")
    field, subset, best = FIELDS[kind]
    methods = BASELINES if method == "best of the baselines" else (METHODS[method],)
    rows = [
        row
        for row in report(REPORTS[hand])["rows"]
        if row["method"] in methods
        and (row["subset"], row["errors"]) == (subset, "gaussian")
        and row["noise_mm"] == float(noise.removesuffix(" mm") or 0)
    ]
    assert len(rows) == len(methods)
    given, _, out = cell.rpartition(" → ")
    assert_says(out, best(row[field] for row in rows))
    if given:
        assert_says(given, rows[0]["keypoints_in_mm"])


def assert_says(cell: str, value: float) -> None:
    """A cell states a value, rounded to as many places as the cell has."""
    number = re.match(r"-?[\d ]+(?:\.(\d+))?", cell)
    assert number, f"'{cell}' is no number"
    places = len(number[1] or "")
    assert float(number[0].replace(" ", "")) == pytest.approx(
        value, abs=0.5 * 10.0**-places + 1e-9
    ), f"the page says {cell}, the file {value}"


def test_times_are_the_measured_ones() -> None:
    (table,) = [(head, rows) for head, rows in tables(PAGE) if head[0] == "cells"]
    stages, rows = table[0][1:], table[1]
    measured = report("frame_cpu.json")["resolutions"]
    assert [cells for cells, *_ in rows] == list(measured)
    for cells, *times in rows:
        for stage, time in zip(stages, times, strict=True):
            assert_says(time, measured[cells]["stages_ms"][stage]["median"])


def single_numbers() -> list[Any]:
    (rows,) = [rows for head, rows in tables(PAGE) if head[-1] == "file: field"]
    return [pytest.param(number, source, id=what) for what, number, source in rows]


@pytest.mark.parametrize(("number", "source"), single_numbers())
def test_a_number_is_the_field_of_the_file(number: str, source: str) -> None:
    file, path = re.findall(r"`([^`]+)`", source)
    assert_says(number, field(report(file), path))


def field(value: Any, path: str) -> float:
    """The value at a path such as `rows.method=initial.subset=all.iou`."""
    for part in path.split("."):
        name, equals, wanted = part.partition("=")
        if equals:
            value = [row for row in value if str(row[name]).removesuffix(".0") == wanted]
        else:
            value = value[0][part] if isinstance(value, list) else value[part]
    return float(value)


def test_every_file_has_its_command() -> None:
    (rows,) = [rows for head, rows in tables(PAGE) if head == ["file", "command"]]
    files = {path.name for path in (ROOT / "docs/benchmarks").glob("*.json")}
    assert {name.strip("`") for name, _ in rows} == files


def test_the_commands_are_those_that_were_run() -> None:
    (rows,) = [rows for head, rows in tables(PAGE) if head == ["file", "command"]]
    recorded = {name.strip("`"): command for name, command in rows}
    checked = 0
    for name, command in recorded.items():
        run = report(name).get("settings", {}).get("command")
        if run is None:
            continue
        stated, given = (shlex.split(text.strip("`")) for text in (command, run))
        assert set(stated[: stated.index("--out")]) <= set(given), name
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("page", "start", "end"),
    [("README.md", "\n## Numbers\n", "\n## "), ("docs/camera.md", "* **Accuracy**", "\n* ")],
)
def test_other_pages_state_no_number_of_their_own(page: str, start: str, end: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").partition(start)[2].partition(end)[0]
    numbers = re.findall(r"\d+(?:\.\d+)?", re.sub(r"\(docs/.*?\)", "", text))
    assert len(numbers) > 4
    assert set(numbers) - set(re.findall(r"\d+(?:\.\d+)?", PAGE)) == set()
