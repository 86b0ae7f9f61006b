"""The report on the detector: means over hands as JSON, the tables as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from im2hands_ros.evaluation.detections import LIFTS
from im2hands_ros.evaluation.report_file import format_row, markdown_table
from im2hands_ros.evaluation.scoring import SUBSETS, Scores

_ERRORS = ("absolute_mm", "root_relative_mm", "centred_mm", "pair_mm", "distance_percent")
_END_TO_END = {
    "answered": ("answered", "{:.1%}"),
    "iou": ("IoU", "{:.3f}"),
    "chamfer_mm": ("Chamfer-L1 mm", "{:.1f}"),
    "moved_iou": ("IoU, moved", "{:.3f}"),
    "moved_chamfer_mm": ("Chamfer-L1 mm, moved", "{:.2f}"),
    "keypoints_in_mm": ("keypoints in mm", "{:.1f}"),
    "keypoints_out_mm": ("out mm", "{:.1f}"),
}
Row = dict[str, Any]


class ScoredPicture(NamedTuple):
    """A picture's subset; scores of its detection, and end to end by source and method."""

    subset: str
    detection: Scores
    end_to_end: dict[tuple[str, str], Scores]


def report_of(
    scored: list[ScoredPicture], settings: dict[str, Any], machine: dict[str, Any]
) -> dict[str, Any]:
    """Rows of the detection by subset, and end to end by source, method and subset."""
    detection, end_to_end = [], []
    for subset in ("all", *SUBSETS):
        pictures = [each for each in scored if subset in ("all", each.subset)]
        if not pictures:
            continue
        detection.append({"subset": subset} | _detection(pictures))
        for source, method in pictures[0].end_to_end:
            means = _means(each.end_to_end[source, method] for each in pictures)
            end_to_end.append({"subset": subset, "source": source, "method": method} | means)
    return {"settings": settings, "machine": machine, "detection": detection, "chain": end_to_end}


def _detection(pictures: list[ScoredPicture]) -> Row:
    """Counts, and means and medians over the hands that were found."""
    together = _together(picture.detection for picture in pictures)
    both = [p.detection["found"] for p in pictures if len(p.detection["found"]) == 2]
    true = together.pop("true", [])
    found = together.pop("found")
    return {
        "pictures": len(pictures),
        "hands": len(found),
        "found": int(sum(found)),
        "pictures_of_two": len(both),
        "both_found": sum(map(all, both)),
        "false": len(true) - int(sum(true)),
        "right_side": int(sum(together.pop("right_side", []))),
        "means": {name: round(float(np.mean(v)), 3) for name, v in together.items()},
        "medians": {name: round(float(np.median(v)), 3) for name, v in together.items()},
    }


def _means(scores: Iterable[Scores]) -> Row:
    return {n: round(float(np.mean(v)), 5) for n, v in _together(scores).items() if v}


def _together(scores: Iterable[Scores]) -> Scores:
    together: Scores = defaultdict(list)
    for each in scores:
        for name, values in each.items():
            together[name] += values
    return together


def markdown(report: dict[str, Any]) -> str:
    """What was found, how far off it was, and what the pipeline made of it."""
    settings, machine = report["settings"], report["machine"]
    lines = [
        f"# The detector's hands in {settings['scenes']} pictures of held-out scenes "
        f"({settings['split']})",
        "",
        "The pictures are computer graphics, not photographs. Every picture stands alone, no hand "
        "is known from a frame before.",
        "",
        f"`{settings['command']}`; {machine['device']}, {machine['cpu']}, torch "
        f"{machine['torch']}, commit {machine['commit']}.",
        "",
        "## Found",
        "",
        *_found_table(report["detection"]),
        "",
        "Side and pixels of the hands found (mean / median over their joints' mean). Both found: "
        "of the pictures with two hands. False: detections on no hand.",
        "",
        "## Keypoints, mm (mean / median over hands found)",
        "",
        *_error_table(report["detection"]),
        "",
        "Distance from: a usual palm's length (picture), this person's palm (hand size), a perfect "
        "depth image (depth). Root-relative: wrists at one place; centred: middles at one place; "
        "one hand to the other: of their middles, where both were found.",
        "",
        f"## Meshes from detected keypoints, {settings['resolution']} cells per box side",
        "",
        *_end_to_end_table([row for row in report["chain"] if row["subset"] == "all"]),
        "",
        "Answered: of all hands, those with a mesh of their side; the rest is means over these. "
        "Moved: after each mesh was moved so that its joints' middle is the true one.",
    ]
    return "\n".join(lines) + "\n"


def _found_table(rows: list[Row]) -> list[str]:
    titles = ["subset", "hands", "found", "both found", "false", "right side", "pixels"]
    cells = []
    for row in rows:
        share = f"{row['right_side'] / row['found']:.1%}" if row["found"] else ""
        both = f"{row['both_found']} of {row['pictures_of_two']}" if row["pictures_of_two"] else ""
        counts = [str(row[name]) for name in ("hands", "found", "false")]
        cells.append([row["subset"], *counts[:2], both, counts[2], share, _pair(row, "pixels")])
    return markdown_table(titles, cells, left=1)


def _error_table(rows: list[Row]) -> list[str]:
    titles = ["subset", "distance from", "absolute", "root-relative", "centred"]
    titles += ["one hand to the other", "distance off %"]
    cells = [
        [row["subset"], lift, *(_pair(row, f"{lift}: {error}") for error in _ERRORS)]
        for row in rows
        for lift in LIFTS
    ]
    return markdown_table(titles, cells, left=2)


def _pair(row: Row, name: str) -> str:
    if name not in row["means"]:
        return ""
    return f"{row['means'][name]:.1f} / {row['medians'][name]:.1f}"


def _end_to_end_table(rows: list[Row]) -> list[str]:
    titles = ["keypoints", "method", *(title for title, _ in _END_TO_END.values())]
    cells = [[row["source"], row["method"], *format_row(row, _END_TO_END)] for row in rows]
    return markdown_table(titles, cells, left=2)
