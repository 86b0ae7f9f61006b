"""What each stage changes of the initial reconstruction, from the rows of a report."""

from __future__ import annotations

from typing import Any

from im2hands_ros.evaluation.noise_levels import STAGED, NoiseLevel
from im2hands_ros.evaluation.report_file import markdown_table
from im2hands_ros.evaluation.scoring import SUBSETS

_INITIAL, *_MORE = STAGED
Row = dict[str, Any]


def ablation_of(rows: list[Row]) -> list[Row]:
    """One row for each set of stages and noise level, against `initial` at the same level.

    iou_points: IoU by subset, in points of a hundred; penetration_percent: volume shared by
    interacting hands; keypoints_percent: distance to the true joints after over before.
    """
    found = {(row["method"], row["noise_mm"], row["subset"]): row for row in rows}
    levels = dict.fromkeys(row["noise_mm"] for row in rows if row["method"] == _INITIAL)
    return [
        _row(found, name, level)
        for level in levels
        for name in _MORE
        if (name, level, "all") in found
    ]


def ablation_table(rows: list[Row]) -> list[str]:
    """Markdown lines; a cell is empty where nothing could be compared."""
    subsets = [subset for subset in SUBSETS if any(subset in row["iou_points"] for row in rows)]
    titles = ["method", "noise mm", *(f"IoU {subset}" for subset in subsets)]
    titles += ["penetration", "keypoint error"]
    cells = [
        [
            row["method"],
            format_level(row["noise_mm"]),
            *(_signed(row["iou_points"].get(subset), "") for subset in subsets),
            *(_signed(row[f"{name}_percent"], " %") for name in ("penetration", "keypoints")),
        ]
        for row in rows
    ]
    return markdown_table(titles, cells, left=2)


def format_level(level: NoiseLevel) -> str:
    """A noise level as tables show it."""
    return "tracker" if level is None else f"{level:g}"


def _row(found: dict[tuple[str, NoiseLevel, str], Row], name: str, level: NoiseLevel) -> Row:
    points = {}
    for subset in (*SUBSETS, "all"):
        before, after = found.get((_INITIAL, level, subset)), found.get((name, level, subset))
        if before and after:
            points[subset] = round(100 * (after["iou"] - before["iou"]), 2)
    everything, close = found[name, level, "all"], found.get((name, level, "interacting"), {})
    initial = found.get((_INITIAL, level, "interacting"), {})
    return {
        "method": name,
        "noise_mm": level,
        "iou_points": points,
        "penetration_percent": _percent(initial, close, "penetration_cm3", "penetration_cm3"),
        "keypoints_percent": _percent(
            everything, everything, "keypoints_in_mm", "keypoints_out_mm"
        ),
    }


def _percent(before: Row, after: Row, first: str, second: str) -> float | None:
    if not before.get(first) or second not in after:
        return None
    return round(100 * (after[second] / before[first] - 1), 1)


def _signed(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:+.1f}{unit}"
