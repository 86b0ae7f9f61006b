"""Frame time by stage, and how much faster than the naive order of work.

Reads
  weights    the packaged ones, or --weights
  COMPARE    an OUT of before: exit status 1 when a frame's 95th percentile is more than 15 % above
             it; another device is said and not judged
Writes
  OUT        .json: per resolution the median and 95th percentile of every stage in milliseconds,
             points evaluated, the time of a dense evaluation of the same lattice in the same run
             and the ratio; the time to build the ROS messages, directly and through rclpy, where
             ROS 2 is installed; the machine. With --ros: what ROS alone costs a frame, with ready
             made hands in place of the networks

Frames are synthetic ones of two interacting hands, one after the other, after a warm-up.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from im2hands_ros.evaluation import regression

if TYPE_CHECKING:
    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.scene import Hands, Scene
    from im2hands_ros.synthetic.sample import Sample

STAGES = ("crop", "encode", "keypoints", "canonicalise", "anchors", "search", "extract", "voxels")
_MOST_DRAWN = 1000
_FRAMES, _ROS_FRAMES, _RESOLUTIONS = 30, 300, "64,128"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands bench`."""
    parser.add_argument(
        "--frames",
        type=int,
        help=f"frames per resolution ({_FRAMES}; --ros {_ROS_FRAMES}; COMPARE's)",
    )
    parser.add_argument("--resolutions", metavar="N,...", help=f"({_RESOLUTIONS}; COMPARE's)")
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    parser.add_argument("--threads", type=int, help="CPU threads (torch's choice; COMPARE's)")
    parser.add_argument(
        "--naive-up-to",
        type=int,
        default=64,
        metavar="N",
        help="compare with the dense evaluation up to this resolution (64; 128 takes minutes)",
    )
    parser.add_argument("--ros", action="store_true", help="what ROS costs a frame; needs ROS 2")
    parser.add_argument("--compare", type=Path, help=".json file of before to compare with")
    parser.add_argument("--out", type=Path, help=".json file to write")


def run(args: argparse.Namespace) -> int:
    """Measure, write and compare; prints one line per resolution. 1: slower than COMPARE."""
    if args.out is None and args.compare is None:
        raise ValueError("nothing would come of it: give --out FILE, --compare FILE or both")
    stored = regression.read(args.compare) if args.compare else {}
    frames = args.frames or stored.get("frames") or (_ROS_FRAMES if args.ros else _FRAMES)
    if args.frames is not None and args.frames < 1:
        raise ValueError(f"--frames {args.frames}: give at least 1")
    if stored and not args.threads:
        args.threads = stored["machine"].get("threads")
    if args.ros:
        report = importlib.import_module("im2hands_ros.ros.bench.frame_cost").report(frames)
    else:
        text = args.resolutions or ",".join(stored.get("resolutions", {})) or _RESOLUTIONS
        report = _frame_report(args, frames, _resolutions(text))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not stored:
        return 0
    verdict = regression.compare(report, stored)
    print(verdict)
    return verdict.status


def _frame_report(args: argparse.Namespace, frames: int, resolutions: list[int]) -> dict[str, Any]:
    import torch

    from im2hands_ros.pipeline import Im2Hands
    from im2hands_ros.provenance import describe

    if args.threads:
        torch.set_num_threads(args.threads)
    model = Im2Hands.load(args.weights, device=args.device)
    samples = interacting_samples(frames)
    report: dict[str, Any] = {"machine": describe(model.device), "frames": frames}
    report["resolutions"] = {}
    for resolution in resolutions:
        measured, hands = measure(model, samples, resolution)
        if resolution <= args.naive_up_to:
            measured |= compare_with_dense(model, samples[0], resolution)
        measured |= _message_times(hands)
        report["resolutions"][str(resolution)] = measured
        print(_line(resolution, measured))
    return report


def interacting_samples(count: int) -> list[Sample]:
    """The first held-out validation scenes with two interacting hands."""
    from im2hands_ros.synthetic.dataset import PointCounts, make_samples

    found = []
    with tqdm(total=count, desc="scenes", unit="scene", leave=False) as bar:
        for sample in make_samples("val", 0, _MOST_DRAWN + 10 * count, PointCounts(1, 1)):
            if sample.subset == "interacting":
                found.append(sample)
                bar.update()
            if len(found) == count:
                break
    return found


def measure(
    model: Im2Hands, samples: list[Sample], resolution: int
) -> tuple[dict[str, Any], Hands]:
    """Stage times over the samples, milliseconds; and the last frame's hands."""
    model.warm_up(resolution)
    reconstruct(model, samples[0], resolution)
    frames = []
    for sample in tqdm(samples, desc=f"{resolution}³", unit="frame", leave=False):
        image = sample.image
        started = time.perf_counter()
        hands = reconstruct(model, sample, resolution, image)
        frames.append(hands.timings_ms | {"frame": 1e3 * (time.perf_counter() - started)})
    stages = {
        stage: _median_and_p95([frame.get(stage, 0.0) for frame in frames])
        for stage in (*STAGES, "frame")
    }
    return {"stages_ms": stages}, hands


def reconstruct(
    model: Im2Hands, sample: Sample, resolution: int, image: np.ndarray | None = None
) -> Hands:
    """One frame through the pipeline."""
    image = sample.image if image is None else image
    return model.encode(image, sample.keypoints, sample.camera).reconstruct(resolution)


def compare_with_dense(model: Im2Hands, sample: Sample, resolution: int) -> dict[str, Any]:
    """Search and dense evaluation of one frame, in turns: points, milliseconds and their ratios."""
    scene = model.encode(sample.image, sample.keypoints, sample.camera)
    scene.surface_cells(resolution)  # to warm up
    searched = [_timed_cells(scene, resolution, dense=False) for _ in range(3)]
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


def _message_times(hands: Hands) -> dict[str, Any]:
    """Milliseconds to build the frame's messages, where ROS 2 and the interfaces are installed."""
    needed = ("rclpy", "im2hands_ros.msg")
    if any(importlib.util.find_spec(module) is None for module in needed):
        return {}
    return importlib.import_module("im2hands_ros.ros.bench.message_cost").message_times(hands)


def _median_and_p95(values: list[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(values)), 2),
        "p95": round(float(np.percentile(values, 95)), 2),
    }


def _line(resolution: int, measured: dict[str, Any]) -> str:
    stages = measured["stages_ms"]
    parts = [f"{stage} {stages[stage]['median']:.1f}" for stage in STAGES]
    frame = stages["frame"]
    line = f"{resolution}³: {frame['median']:.0f} ms a frame (p95 {frame['p95']:.0f}): "
    line += ", ".join(parts)
    if "faster" in measured:
        line += f"; search {measured['faster']}x faster than dense"
    return line


def _resolutions(text: str) -> list[int]:
    try:
        return [int(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"--resolutions {text}: give whole numbers like 64,128") from None
