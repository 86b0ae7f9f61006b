"""What a frame costs by its number of cells, and the field by its number of query points."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.stopwatch import median_and_p95
from im2hands_ros.synthetic.sample import Sample

CELLS = (32, 64, 128, 256)
POINTS = (1_000, 10_000, 100_000, 1_000_000)
_REPEATS = 5
_ROOM = 0.03  # metres around the joints that query points are drawn in
Row = dict[str, Any]


def cost(
    model: Im2Hands,
    sample: Sample,
    cells: Sequence[int] = CELLS,
    points: Sequence[int] = POINTS,
) -> Row:
    """Medians of the same frame, milliseconds, by turns: each size once, then all again."""
    for resolution in cells:
        model.warm_up(resolution)
    frames: dict[int, list[dict[str, float]]] = {resolution: [] for resolution in cells}
    queries: dict[int, list[float]] = {count: [] for count in points}
    for _ in range(_REPEATS):
        for resolution in cells:
            frames[resolution].append(_frame(model, sample, resolution))
        for count in points:
            queries[count].append(_queries(model, sample, count))
    of_points = {count: median_and_p95(times)["median"] for count, times in queries.items()}
    return {
        "cells": [{"cells": resolution, **_medians(frames[resolution])} for resolution in cells],
        "points": [
            {"points": count, "ms": ms, "us_per_point": round(1e3 * ms / count, 3)}
            for count, ms in of_points.items()
        ],
    }


def lines(row: Row) -> str:
    """The cost in words."""
    cells = [f"{each['cells']}³ {each['frame_ms']:.0f} ms" for each in row["cells"]]
    points = [f"{each['points']:,} in {each['ms']:.1f} ms" for each in row["points"]]
    return f"a frame: {', '.join(cells)}\nquery points: {', '.join(points)}"


def _frame(model: Im2Hands, sample: Sample, resolution: int) -> dict[str, float]:
    image = sample.image  # decoded before the clock starts
    started = time.perf_counter()
    scene = model.encode(image, sample.keypoints, sample.camera)
    hands = scene.reconstruct(resolution)
    frame = 1e3 * (time.perf_counter() - started)
    stages = hands.timings_ms
    return {"frame_ms": frame, "search_ms": stages["search"], "extract_ms": stages["extract"]}


def _queries(model: Im2Hands, sample: Sample, count: int) -> float:
    """Milliseconds of points around the first hand's joints, the same at each call."""
    scene = model.encode(sample.image, sample.keypoints, sample.camera)
    side = scene.sides[0]
    joints = scene.keypoints.present[side]
    low, high = joints.min(0) - _ROOM, joints.max(0) + _ROOM
    points = np.random.default_rng(0).uniform(low, high, (count, 3)).astype(np.float32)
    started = time.perf_counter()
    getattr(scene, side).occupancy(points)
    return 1e3 * (time.perf_counter() - started)


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: median_and_p95([row[name] for row in rows])["median"] for name in rows[0]}
