"""The evaluation's report: everything as JSON, the tables as Markdown."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from im2hands_ros.evaluation.ablation import ablation_of, ablation_table, format_level
from im2hands_ros.evaluation.inputs import TRACKER_ERRORS
from im2hands_ros.evaluation.report_file import (
    command_of,
    describe_file,
    describe_weights,
    format_row,
    markdown_table,
)
from im2hands_ros.evaluation.runner import BATCH, EvaluationPlan, Scored
from im2hands_ros.evaluation.scoring import (
    PENETRATION_SPACING,
    SUBSETS,
    SURFACE_SAMPLES,
    mean_stages,
    subset_of,
    summarise,
)
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.sample import Sample

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


def settings_of(
    args: argparse.Namespace, plan: EvaluationPlan, samples: list[Sample], model: Im2Hands | None
) -> dict[str, Any]:
    """Command, counts, seeds and weights of a run."""
    points = {len(p) for s in samples for p in s.points.values() if p is not None}
    return {
        "command": command_of(args, "evaluate"),
        "split": args.split,
        "hand": None if args.hand is None else describe_file(args.hand),
        "scenes": len(samples),
        "scenes_by_subset": dict(Counter(map(subset_of, samples))),
        "seeds": [sample.seed for sample in samples],
        "points_per_hand": sorted(points),
        "near_surface_points_left_out": sorted({plan.near_of(sample) for sample in samples}),
        "surface_samples": SURFACE_SAMPLES,
        "penetration_spacing_m": PENETRATION_SPACING,
        "resolution": args.resolution,
        "scenes_per_fit": BATCH,
        "workers": args.workers,
        "baselines_cached": args.cache is not None,
        "tracker_errors": str(TRACKER_ERRORS) if None in plan.levels else None,
        "weights": None if model is None else describe_weights(model, args.weights),
    }


def report_of(
    scored: Scored, settings: dict[str, Any], machine: dict[str, str | int]
) -> dict[str, Any]:
    """Means by configuration and subset, under the settings and machine they were taken with."""
    rows = []
    for configuration, scenes in scored.items():
        named: dict[str, Any] = {
            "method": configuration.method,
            "errors": "tracker" if configuration.noise_mm is None else "gaussian",
            "noise_mm": configuration.noise_mm,
        }
        rows += [named | {"subset": subset} | means for subset, means in summarise(scenes).items()]
    stages = [
        configuration._asdict() | means
        for configuration, scenes in scored.items()
        if (means := mean_stages(scenes))
    ]
    return {
        "settings": settings,
        "machine": machine,
        "rows": rows,
        "changes": ablation_of(rows),
        "stages_ms": stages,
    }


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
        lines += ablation_table(report["changes"])
        lines += [
            "",
            "IoU in points, penetration of interacting hands, keypoint error out over in.",
        ]
    return "\n".join(lines) + "\n"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = {name: column for name, column in COLUMNS.items() if any(name in row for row in rows)}
    titles = ["method", "noise mm", *(title for title, _ in columns.values())]
    cells = [
        [row["method"], format_level(row["noise_mm"]), *format_row(row, columns)] for row in rows
    ]
    return markdown_table(titles, cells, left=2)
