"""The evaluation's report: everything as JSON, the tables as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from im2hands_ros.evaluation.ablation import changes_of, changes_table
from im2hands_ros.evaluation.runner import Scored
from im2hands_ros.evaluation.scoring import SUBSETS, mean_stages, summarise
from im2hands_ros.provenance import describe

COLUMNS = {
    "hands": ("hands", "{:.0f}"),
    "iou": ("IoU", "{:.3f}"),
    "iou_field": ("IoU (field)", "{:.3f}"),
    "chamfer_mm": ("Chamfer-L1 mm", "{:.2f}"),
    "f5": ("F @ 5 mm", "{:.3f}"),
    "normal_consistency": ("normals", "{:.3f}"),
    "penetration_cm3": ("penetration cm³", "{:.2f}"),
    "penetration_mm": ("depth mm", "{:.1f}"),
    "keypoints_in_mm": ("keypoints in mm", "{:.1f}"),
    "keypoints_out_mm": ("out mm", "{:.1f}"),
    "watertight": ("watertight", "{:.1%}"),
    "found": ("found", "{:.1%}"),
    "frame_ms": ("time ms", "{:.0f}"),
}


def report_of(
    scored: Scored, settings: dict[str, Any], device: str | torch.device
) -> dict[str, Any]:
    """Means by condition and subset, under the settings and the machine they were taken with."""
    rows = []
    for condition, scenes in scored.items():
        named = {
            "method": condition.method,
            "errors": "tracker" if condition.noise_mm is None else "gaussian",
            "noise_mm": condition.noise_mm,
        }
        rows += [named | {"subset": subset} | means for subset, means in summarise(scenes).items()]
    stages = [
        {"method": condition.method, "noise_mm": condition.noise_mm} | means
        for condition, scenes in scored.items()
        if (means := mean_stages(scenes))
    ]
    return {
        "settings": settings,
        "machine": describe(device),
        "rows": rows,
        "changes": changes_of(rows),
        "stages_ms": stages,
    }


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the .json file and the .md file of the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown(report), encoding="utf-8")


def markdown(report: dict[str, Any]) -> str:
    """One table per subset: a line for each method and noise level; then what stages change."""
    settings, machine = report["settings"], report["machine"]
    hand = f" of another hand, {settings['hand']['file']}" if settings["hand"] else ""
    lines = [
        f"# {settings['scenes']} held-out scenes ({settings['split']}){hand}, "
        f"{settings['resolution']} cells per box side",
        "",
        f"{machine['device']}, {machine['cpu']}, torch {machine['torch']}, "
        f"commit {machine['commit']}. Noise: standard deviation per keypoint coordinate. "
        "Keypoints: mean distance to the true joints, as given and as the shape is made from. "
        "Time: median of a frame from picture to meshes.",
    ]
    for subset in ("all", *SUBSETS):
        rows = [row for row in report["rows"] if row["subset"] == subset]
        if rows:
            lines += ["", f"## {subset}", "", *_table(rows)]
    if report["changes"]:
        lines += ["", "## What stages change against initial", ""]
        lines += changes_table(report["changes"])
        lines += [
            "",
            "IoU in points, penetration of interacting hands, keypoint error out over in.",
        ]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    shown = {key: look for key, look in COLUMNS.items() if any(key in row for row in rows)}
    titles = ["method", "noise mm", *(title for title, _ in shown.values())]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|" + "---:|" * len(shown)]
    for row in rows:
        cells = [look.format(row[key]) if key in row else "" for key, (_, look) in shown.items()]
        noise = "tracker" if row["noise_mm"] is None else f"{row['noise_mm']:g}"
        lines.append("| " + " | ".join([row["method"], noise, *cells]) + " |")
    return lines
