"""Frame times of every preset, resolution and precision on a GPU, until the seconds are used up.

Frames are those of the packaged demo, one after the other. Written after every row, so that what a
time limit cuts off is the last row alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from im2hands_ros.kernels.choice import VARIABLE
from im2hands_ros.networks.paper.networks import PaperNetworks
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.provenance import describe
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

RESOLUTIONS, PRECISIONS = (64, 128), ("bf16", "fp32")
# Of the paper preset, and of torch beside the kernels: they take ten times as long.
FEWER = 20
Row = dict[str, Any]


demo_sequence = cache(load_demo_sequence)


class Overflows(logging.Handler):
    """Counts the frames that the search gave back to torch."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "overflowed" in record.getMessage()


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=270, help="no row begins after these")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    began, rows = time.monotonic(), []
    for measure in plan(args.device, args.frames):
        late = time.monotonic() - began > args.seconds
        rows.append({"left_out": "no time"} if late else measure())
        print(json.dumps(rows[-1]))
        report = {"machine": describe(args.device), "frames": args.frames, "rows": rows}
        report["seconds"] = round(time.monotonic() - began, 1)
        args.out.write_text(json.dumps(report, indent=1) + "\n")
        if late:
            break


def plan(device: str, frames: int) -> Iterator[Callable[[], Row]]:
    """The rows in the order of what they are worth."""
    few = max(frames // FEWER, 2)
    for precision in PRECISIONS:
        for resolution in RESOLUTIONS:
            yield lambda r=resolution, p=precision: row("compact", device, p, r, frames)
    for precision in PRECISIONS:
        for resolution in RESOLUTIONS:
            yield lambda r=resolution, p=precision: against_torch(device, p, r, few)
    for precision in PRECISIONS:
        for resolution in RESOLUTIONS:
            yield lambda r=resolution, p=precision: row("paper", device, p, r, few)


def load(preset: str, device: str, precision: str) -> Im2Hands:
    """A model; of the preset paper, which has no packaged weights, one whose surfaces are a
    hand's in size."""
    if preset == "compact":
        return Im2Hands.load(device=device, precision=precision)
    from octahedra import octahedra

    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    return Im2Hands(PaperNetworks(octahedra(0.08)), torch.device(device), dtype, {})


def row(preset: str, device: str, precision: str, resolution: int, frames: int) -> Row:
    """Times of frames, memory, and what one frame asks of the driver."""
    overflows = Overflows()
    logging.getLogger("im2hands_ros").addHandler(overflows)
    model = load(preset, device, precision)
    first = timed(model, 0, resolution)
    model.warm_up(resolution)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    times = [timed(model, number, resolution) for number in range(frames)]
    milliseconds = np.array([frame["frame"] for frame in times])
    logging.getLogger("im2hands_ros").removeHandler(overflows)
    median, p99 = np.median(milliseconds), np.quantile(milliseconds, 0.99)
    return {
        "preset": preset,
        "precision": precision,
        "resolution": resolution,
        "kernels": model.kernels,
        "frames": frames,
        "overflows": overflows.count,
        "first_ms": round(first["frame"], 1),
        "median_ms": round(float(median), 3),
        "p95_ms": round(float(np.quantile(milliseconds, 0.95)), 3),
        "p99_ms": round(float(p99), 3),
        "p99_over_median": round(float(p99 / median), 2),
        "stages_ms": {
            stage: round(float(np.median([frame.get(stage, 0.0) for frame in times])), 3)
            for stage in times[-1]
        },
        **(memory() | driver_calls(model, resolution) if device != "cpu" else {}),
    }


def against_torch(device: str, precision: str, resolution: int, frames: int) -> Row:
    """The kernels and torch by turns on the same frames."""
    with variable("torch"):
        models = {"torch": load("compact", device, precision)}
    models["kernels"] = load("compact", device, precision)
    for model in models.values():
        model.warm_up(resolution)
    times = by_turns(models, resolution, frames)
    medians = {name: round(float(np.median(values)), 3) for name, values in times.items()}
    return {
        "against": "torch",
        "precision": precision,
        "resolution": resolution,
        "kernels": models["kernels"].kernels,
        "frames": frames,
        "median_ms": medians,
        "faster": round(medians["torch"] / medians["kernels"], 2),
    }


def by_turns(models: dict[str, Im2Hands], resolution: int, frames: int) -> dict[str, list[float]]:
    """Milliseconds of each model."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for number in range(frames):
        for name, model in models.items():
            times[name].append(timed(model, number, resolution)["frame"])
    return times


def timed(model: Im2Hands, number: int, resolution: int) -> dict[str, float]:
    """Milliseconds of a frame of the demo and of its stages."""
    demo = demo_sequence()
    frame = demo.frames[number % len(demo.frames)]
    began = time.perf_counter()
    scene = model.encode(frame.image, frame.keypoints, demo.camera)
    hands = scene.reconstruct(resolution)
    return hands.timings_ms | {"frame": 1e3 * (time.perf_counter() - began)}


def memory() -> Row:
    """Of this process by torch, and of the card by its driver, MiB."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    used = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    return {
        "peak_mib": round(torch.cuda.max_memory_allocated() / 2**20),
        "reserved_mib": round(torch.cuda.max_memory_reserved() / 2**20),
        "nvidia_smi_mib": [int(value) for value in used],
    }


def driver_calls(model: Im2Hands, resolution: int) -> Row:
    """How often a frame launches kernels and graphs, copies, and waits."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profiler:
        timed(model, 60, resolution)
    names = Counter(event.name for event in profiler.events() if event.name.startswith("cu"))
    return {"driver_calls": dict(names.most_common(12))}


@contextmanager
def variable(value: str) -> Iterator[None]:
    """The kernels' environment variable for a while."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = value
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


if __name__ == "__main__":
    main()
