"""What a recorded demo run amounts to: counts, latency, accuracy, pictures. Needs no ROS."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm
from trimesh import Trimesh

from im2hands_ros.evaluation.metrics import iou, surface_scores
from im2hands_ros.files import write_meshes
from im2hands_ros.ros.demo.contact_sheet import Shot, contact_sheet
from im2hands_ros.ros.demo.recording import AnsweredFrame, Recording, read_inputs
from im2hands_ros.skeleton import SIDES
from im2hands_ros.stopwatch import median_and_p95
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh

if TYPE_CHECKING:
    from im2hands_ros.synthetic.demo_sequence import DemoSequence

SHEET_COLUMNS = 7
_IOU_POINTS = 40_000


def write_report(
    out: Path,
    frame_of_stamp: dict[int, int],
    truth: DemoSequence,
    metric_frames: int,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write contact_sheet.png, last_frame.glb, summary.json and summary.md from ``out``'s bag.

    Args:
        out: the demo's folder, with ``bag/`` in it.
        frame_of_stamp: stamp (ns) -> frame of the sequence, for every frame that was sent.
        truth: the sequence that was played, with its true meshes.
        metric_frames: at most this many frames are compared with the truth.
        settings: how the demo was run; goes into the summary as it is.

    Returns:
        what summary.json holds.
    """
    recording = Recording.read(out / "bag", frame_of_stamp)
    summary = {
        "settings": settings or {},
        "frames": _frames(recording, len(frame_of_stamp)),
        "latency_ms": median_and_p95([answer.latency_ms for answer in recording.answers], digits=1),
        "stages_ms": _stages(recording.diagnostics),
        "surfaces": _surfaces(recording.answers),
        "accuracy": _accuracy(recording.answers, truth, metric_frames),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (out / "summary.md").write_text(as_markdown(summary))
    seen = [answer for answer in recording.answers if answer.meshes]
    if seen:
        last = {side: Trimesh(*mesh, process=False) for side, mesh in seen[-1].meshes.items()}
        write_meshes(out / "last_frame.glb", last)
        _write_sheet(out, seen, truth)
    return summary


def _frames(recording: Recording, sent: int) -> dict[str, Any]:
    dropped = _with_prefix(recording.diagnostics, "dropped.")
    return {
        "sent": sent,
        "recorded": recording.counts,
        "answered": len(recording.answers),
        "with_hands": sum(bool(answer.meshes) for answer in recording.answers),
        "unanswered": sent - len(recording.answers),
        "dropped_by_node": {reason: int(count) for reason, count in dropped.items()},
    }


def _with_prefix(values: dict[str, str], prefix: str) -> dict[str, str]:
    return {key[len(prefix) :]: v for key, v in values.items() if key.startswith(prefix)}


def _stages(diagnostics: dict[str, str]) -> dict[str, dict[str, float]]:
    """``stage.NAME.median_ms`` and ``stage.NAME.p95_ms``, by name."""
    stages: dict[str, dict[str, float]] = defaultdict(dict)
    for key, value in _with_prefix(diagnostics, "stage.").items():
        name, figure = key.rsplit(".", 1)
        stages[name][figure.removesuffix("_ms")] = float(value)
    return dict(stages)


def _surfaces(answers: Sequence[AnsweredFrame]) -> dict[str, int]:
    """How many of all published meshes are watertight, and how many enclose a positive volume."""
    meshes = [Mesh(*mesh) for answer in answers for mesh in answer.meshes.values()]
    shown = tqdm(meshes, desc="checking meshes", unit="mesh", dynamic_ncols=True)
    verdicts = [(solid.is_watertight, solid.volume > 0) for solid in map(MeshQueries, shown)]
    closed, positive = np.sum(verdicts, axis=0).tolist() if verdicts else (0, 0)
    return {"meshes": len(meshes), "watertight": closed, "positive_volume": positive}


def evenly(items: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of the items, evenly spread, first and last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, count)]


def _accuracy(answers: Sequence[AnsweredFrame], truth: DemoSequence, count: int) -> dict[str, Any]:
    """Mean IoU and Chamfer-L1 per side over evenly spread frames, against the true meshes."""
    chosen = evenly([answer for answer in answers if answer.frame is not None], count)
    scores: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for answer in tqdm(chosen, desc="comparing", unit="frame", dynamic_ncols=True):
        for side, vertices in truth.frames[answer.frame].meshes.items():
            if vertices is not None and side in answer.meshes:
                true = Mesh(vertices, truth.triangles(side))
                scores[side].append(compare(Mesh(*answer.meshes[side]), true))
    sides = {
        side: {"iou": round(mean[0], 4), "chamfer_mm": round(mean[1], 3), "hands": len(values)}
        for side, values in scores.items()
        if values and (mean := np.mean(values, axis=0).tolist())
    }
    return {"frames": [answer.frame for answer in chosen], **sides}


def compare(predicted: Mesh, true: Mesh) -> tuple[float, float]:
    """Volumetric IoU, and Chamfer-L1 in millimetres, of two closed meshes."""
    corners = np.concatenate([predicted.vertices, true.vertices])
    points = np.random.default_rng(0).uniform(corners.min(0), corners.max(0), (_IOU_POINTS, 3))
    overlap = iou(MeshQueries(predicted).contains(points), MeshQueries(true).contains(points))
    return overlap, 1e3 * surface_scores(predicted, true).chamfer


def _write_sheet(out: Path, answers: Sequence[AnsweredFrame], truth: DemoSequence) -> None:
    chosen = evenly([answer for answer in answers if answer.frame is not None], SHEET_COLUMNS)
    inputs = read_inputs(out / "bag", [answer.stamp_ns for answer in chosen])
    shots = [
        Shot(
            title=f"frame {answer.frame + 1} of {len(truth.frames)}, {answer.latency_ms:.0f} ms",
            image=inputs[answer.stamp_ns].image,
            camera=truth.camera,
            keypoints=inputs[answer.stamp_ns].keypoints,
            meshes=answer.meshes,
        )
        for answer in chosen
        if answer.stamp_ns in inputs
    ]
    if shots:
        cv2.imwrite(str(out / "contact_sheet.png"), contact_sheet(shots)[..., ::-1])


def as_markdown(summary: dict[str, Any]) -> str:
    """summary.md: the figures of summary.json for people."""
    frames, latency, surfaces = summary["frames"], summary["latency_ms"], summary["surfaces"]
    dropped = ", ".join(f"{reason} {n}" for reason, n in frames["dropped_by_node"].items())
    settings = ", ".join(f"{name} {value}" for name, value in summary["settings"].items())
    lines = [
        "# Demo run",
        "",
        *([settings, ""] if settings else []),
        f"Frames: {frames['sent']} sent, {frames['recorded']['image']} recorded, "
        f"{frames['answered']} answered ({frames['with_hands']} with hands), "
        f"{frames['unanswered']} not answered. The node's own count of drops: {dropped or 'none'}.",
        "",
        f"Meshes: {surfaces['meshes']}, watertight {surfaces['watertight']}, "
        f"of positive volume {surfaces['positive_volume']}.",
        "",
        *_accuracy_lines(summary["accuracy"]),
        "",
        "| milliseconds | median | 95 % |",
        "|---|---:|---:|",
    ]
    rows = {"image stamp to recorder": latency} if latency else {}
    rows |= {f"node: {name}": figures for name, figures in summary["stages_ms"].items()}
    lines += [f"| {name} | {row['median']:.1f} | {row['p95']:.1f} |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def _accuracy_lines(accuracy: dict[str, Any]) -> list[str]:
    frames = ", ".join(str(frame + 1) for frame in accuracy["frames"])
    lines = [
        f"| mean over frames {frames} | IoU | Chamfer-L1 (mm) | hands |",
        "|---|---:|---:|---:|",
    ]
    return lines + [
        f"| {side} hand | {row['iou']:.3f} | {row['chamfer_mm']:.2f} | {row['hands']} |"
        for side in SIDES
        if (row := accuracy.get(side))
    ]
