"""Frame time by stage, and the surface search against the dense evaluation of its lattice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from im2hands_ros.evaluation.inputs import EvaluationInput, input_of
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.provenance import describe
from im2hands_ros.scene import Hands, Scene
from im2hands_ros.stopwatch import median_and_p95
from im2hands_ros.synthetic.dataset import PointCounts, make_samples
from im2hands_ros.synthetic.sample import Sample

STAGES = (
    *("crop", "encode", "keypoints", "depth", "canonicalise", "anchors"),
    *("search", "extract", "voxels"),
)
_MOST_DRAWN = 1000
_SEARCHES = 3
Row = dict[str, Any]


def frame_report(
    model: Im2Hands,
    frames: int,
    resolutions: list[int],
    dense_up_to: int,
    message_times: Callable[[Hands], Row],
    depth_camera: str | None = None,
) -> Row:
    """Times of synthetic frames by resolution; prints one line each.

    Args:
        model: what is measured.
        frames: how many, at each resolution.
        resolutions: lattice cells per box side.
        dense_up_to: the highest resolution at which the dense evaluation is measured as well.
        message_times: gives what it costs to send a frame's hands.
        depth_camera: of ``DEPTH_CAMERAS``: with its depth images, and the joints with a tracker's
            errors, so that all hands have to be moved; None: true joints and no depth images.
    """
    samples = interacting_samples(frames)
    report: Row = {"machine": describe(model.device), "frames": frames, "resolutions": {}}
    report |= {"depth": depth_camera} if depth_camera else {}
    for resolution in resolutions:
        measured, hands = measure(model, samples, resolution, depth_camera)
        if resolution <= dense_up_to:
            measured |= compare_with_dense(model, samples[0], resolution)
        measured |= message_times(hands)
        report["resolutions"][str(resolution)] = measured
        print(_line(resolution, measured))
    return report


def interacting_samples(count: int) -> list[Sample]:
    """The first held-out validation scenes with two interacting hands."""
    found: list[Sample] = []
    with tqdm(total=count, desc="scenes", unit="scene", leave=False) as bar:
        for sample in make_samples("val", 0, _MOST_DRAWN + 10 * count, PointCounts(1, 1)):
            if sample.subset == "interacting":
                found.append(sample)
                bar.update()
            if len(found) == count:
                break
    return found


def measure(
    model: Im2Hands, samples: list[Sample], resolution: int, depth_camera: str | None = None
) -> tuple[Row, Hands]:
    """Stage times over the samples, milliseconds; and the last frame's hands."""
    errors = 0.0 if depth_camera is None else None
    inputs = [input_of(sample, errors, 0, depth_camera=depth_camera) for sample in samples]
    model.warm_up(resolution)
    hands = reconstruct(model, inputs[0], resolution)
    frames = []
    for given in tqdm(inputs, desc=f"{resolution}³", unit="frame", leave=False):
        started = time.perf_counter()
        hands = reconstruct(model, given, resolution)
        frames.append(hands.timings_ms | {"frame": 1e3 * (time.perf_counter() - started)})
    stages = {
        stage: median_and_p95([frame.get(stage, 0.0) for frame in frames])
        for stage in (*STAGES, "frame")
    }
    return {"stages_ms": stages}, hands


def reconstruct(model: Im2Hands, given: EvaluationInput, resolution: int) -> Hands:
    """One frame through the pipeline."""
    scene = model.encode(given.image, given.keypoints, given.camera, given.depth)
    return scene.reconstruct(resolution)


def compare_with_dense(model: Im2Hands, sample: Sample, resolution: int) -> Row:
    """Search and dense evaluation of one frame: points, milliseconds and their ratios."""
    scene = model.encode(sample.image, sample.keypoints, sample.camera)
    scene.surface_cells(resolution)  # to warm up
    searched = [_timed_cells(scene, resolution, dense=False) for _ in range(_SEARCHES)]
    sparse_ms, sparse_points = float(np.median([ms for ms, _ in searched])), searched[0][1]
    dense_ms, dense_points = _timed_cells(scene, resolution, dense=True)
    return {
        "search_points": sparse_points,
        "dense_points": dense_points,
        "fewer_points": round(dense_points / sparse_points, 1),
        "search_ms": round(sparse_ms, 1),
        "dense_ms": round(dense_ms, 1),
        "faster": round(dense_ms / sparse_ms, 1),
    }


def _timed_cells(scene: Scene, resolution: int, dense: bool) -> tuple[float, int]:
    """Milliseconds and evaluated points; the result is on the CPU when this returns."""
    started = time.perf_counter()
    cells = scene.surface_cells(resolution, dense=dense)
    sum(len(of_hand.cpu()) for of_hand in cells.cells)
    return 1e3 * (time.perf_counter() - started), cells.evaluated


def _line(resolution: int, measured: Row) -> str:
    stages = measured["stages_ms"]
    ran = [stage for stage in STAGES if stages[stage]["median"] > 0]
    parts = [f"{stage} {stages[stage]['median']:.1f}" for stage in ran]
    frame = stages["frame"]
    line = f"{resolution}³: {frame['median']:.0f} ms a frame (p95 {frame['p95']:.0f}): "
    line += ", ".join(parts)
    if "faster" in measured:
        line += f"; search {measured['faster']}x faster than dense"
    return line
