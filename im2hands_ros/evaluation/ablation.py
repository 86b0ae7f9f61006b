"""What each stage changes of the initial reconstruction, from the rows of a report."""

from __future__ import annotations

from typing import Any

from im2hands_ros.evaluation.noise_levels import STAGED, Level
from im2hands_ros.evaluation.scoring import SUBSETS

_PLAIN, *_MORE = STAGED
Row = dict[str, Any]


def changes_of(rows: list[Row]) -> list[Row]:
    """One line for each set of stages and level of noise, against `initial` at the same level.

    iou_points: IoU by subset, in points of a hundred; penetration_percent: volume shared by
    interacting hands; keypoints_percent: distance to the true joints after over before.
    """
    found = {(row["method"], row["noise_mm"], row["subset"]): row for row in rows}
    levels = dict.fromkeys(row["noise_mm"] for row in rows if row["method"] == _PLAIN)
    return [
        _change(found, name, level)
        for level in levels
        for name in _MORE
        if (name, level, "all") in found
    ]


def changes_table(changes: list[Row]) -> list[str]:
    """Markdown lines; a cell is empty where nothing could be compared."""
    subsets = [subset for subset in SUBSETS if any(subset in c["iou_points"] for c in changes)]
    titles = ["method", "noise mm", *(f"IoU {subset}" for subset in subsets)]
    titles += ["penetration", "keypoint error"]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|" + "---:|" * (len(titles) - 2)]
    for change in changes:
        noise = "tracker" if change["noise_mm"] is None else f"{change['noise_mm']:g}"
        cells = [_signed(change["iou_points"].get(subset), "") for subset in subsets]
        cells += [_signed(change[f"{name}_percent"], " %") for name in ("penetration", "keypoints")]
        lines.append("| " + " | ".join([change["method"], noise, *cells]) + " |")
    return lines


def _change(found: dict[tuple[str, Level, str], Row], name: str, level: Level) -> Row:
    points = {}
    for subset in (*SUBSETS, "all"):
        before, after = found.get((_PLAIN, level, subset)), found.get((name, level, subset))
        if before and after:
            points[subset] = round(100 * (after["iou"] - before["iou"]), 2)
    everything, close = found[name, level, "all"], found.get((name, level, "interacting"), {})
    plain = found.get((_PLAIN, level, "interacting"), {})
    return {
        "method": name,
        "noise_mm": level,
        "iou_points": points,
        "penetration_percent": _percent(plain, close, "penetration_cm3", "penetration_cm3"),
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
