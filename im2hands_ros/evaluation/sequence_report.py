"""The report of `im2hands evaluate --sequences`."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from im2hands_ros.evaluation.report_file import format_row, markdown_table
from im2hands_ros.evaluation.sequence_events import crossings, dropouts, lag
from im2hands_ros.evaluation.sequences import joints_alone, with_images
from im2hands_ros.pipeline import Im2Hands

SECONDS = 20.0
# New in every frame, metres; the first also together with what lasts, and with images.
_NOISES = (0.010, 0.003, 0.0005)
_COLUMNS = {
    "noise_mm": ("noise, mm", "{:g}"),
    "single_error_mm": ("joints, single frames, mm", "{:.1f}"),
    "tracked_error_mm": ("followed, mm", "{:.1f}"),
    "error_change_percent": ("change, %", "{:+.0f}"),
    "single_tremble_mm": ("tremble, single frames, mm", "{:.1f}"),
    "tracked_tremble_mm": ("followed, mm", "{:.1f}"),
    "tremble_change_percent": ("change, %", "{:+.0f}"),
    "filter_ms": ("filter, ms", "{:.2f}"),
}


def sequence_report(
    model: Im2Hands,
    sequences: int,
    settings: dict[str, Any],
    machine: dict[str, Any],
    depth_camera: str | None = None,
) -> dict[str, Any]:
    """Measure everything; see `commands.evaluate`.

    depth_camera: of ``depth_images.DEPTH_CAMERAS``, for one row more; None: without it.
    """
    rows = [
        _row(
            "joints alone", "noise", noise, joints_alone(sequences, SECONDS, noise, False).summary()
        )
        for noise in _NOISES
    ]
    rows.append(
        _row(
            "joints alone",
            "noise and lasting errors",
            _NOISES[0],
            joints_alone(sequences, SECONDS, _NOISES[0], True).summary(),
        )
    )
    rows.append(_rendered_row("refined by images", model, sequences, None))
    if depth_camera is not None:
        name = f"refined by images and depth ({depth_camera})"
        rows.append(_rendered_row(name, model, sequences, depth_camera))
    return {
        "settings": settings,
        "machine": machine,
        "rows": rows,
        "dropout": dropouts(),
        "crossing": crossings(),
        "steady": lag(),
    }


def sequence_tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    titles = ["joints", "errors", *(title for title, _ in _COLUMNS.values())]
    rows = [[row["joints"], row["errors"], *format_row(row, _COLUMNS)] for row in report["rows"]]
    lines = ["# Hands in motion, followed", "", *markdown_table(titles, rows, 2), ""]
    for name in ("dropout", "crossing", "steady"):
        lines.append(f"{name}: " + ", ".join(f"{k} {v:g}" for k, v in report[name].items()))
        lines.append("")
    return "\n".join(lines)


def _rendered_row(
    name: str, model: Im2Hands, sequences: int, depth_camera: str | None
) -> dict[str, Any]:
    drawn = with_images(model, sequences, SECONDS, _NOISES[0], depth_camera)
    for scores in tqdm(drawn, total=sequences, desc=name, unit="sequence"):
        last = scores
    return _row(name, "noise and lasting errors", _NOISES[0], last.summary())


def _row(joints: str, errors: str, noise: float, summary: dict[str, float]) -> dict[str, Any]:
    return {"joints": joints, "errors": errors, "noise_mm": 1e3 * noise, **summary}
