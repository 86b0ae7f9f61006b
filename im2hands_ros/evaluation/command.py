"""Accuracy on held-out synthetic scenes, with three baselines beside the network.

Reads
  samples    drawn on the fly from the split's seeds, or with --data from shards that
             `im2hands synthesize --split test` wrote
  weights    the packaged ones, or --weights
Writes
  OUT        .json with everything, and beside it a .md with the tables
  --pictures best, median and worst scene: image, truth, reconstruction, second viewpoint

Methods: the network; capsules (a union of capsules and a rounded palm on the keypoints); skinned
(the generator's mean hand carried along by the bones between the keypoints); fitted (the same
hand with pose, place and scale fitted to the keypoints by least squares: it shares the true hands'
mesh, rig and keypoint convention, which no real hand does). Noise is Gaussian with this standard
deviation on every coordinate of every keypoint. IoU: volume points against the published mesh
(iou) and the field (iou_field). Means are over hands, those of penetration over pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from im2hands_ros.evaluation.methods import Method
    from im2hands_ros.evaluation.scoring import Condition
    from im2hands_ros.synthetic.sample import Sample

METHODS = ("network", "capsules", "skinned", "fitted")
BATCH = 16
Scored = list[tuple[str, dict[str, list[float]]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `im2hands evaluate`."""
    parser.add_argument("--split", choices=("test", "val"), default="test", help="seeds (test)")
    parser.add_argument("--count", type=int, default=224, help="how many scenes (224)")
    parser.add_argument("--data", type=Path, help="folder of shards, instead of drawing scenes")
    parser.add_argument("--weights", type=Path, help="weights file (the packaged ones)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    parser.add_argument("--resolution", type=int, default=64, help="cells per box side (64)")
    parser.add_argument(
        "--noise", default="0,5,10,15", metavar="MM,...", help="keypoint noise, mm (0,5,10,15)"
    )
    parser.add_argument(
        "--methods", default=",".join(METHODS), metavar="NAME,...", help=f"({','.join(METHODS)})"
    )
    parser.add_argument("--out", type=Path, required=True, help=".json file to write")
    parser.add_argument("--pictures", type=Path, help="folder for pictures (none)")


def run(args: argparse.Namespace) -> int:
    """Score every method at every noise level; 0 when the report is written."""
    noise, names = _noise_levels(args.noise), _method_names(args.methods)
    if args.out.suffix != ".json":
        raise ValueError(f"--out {args.out}: give a .json file; the tables go beside it as .md")
    if args.count < 1:
        raise ValueError(f"--count {args.count}: give at least 1")

    from im2hands_ros.evaluation.report import report_of, write_report
    from im2hands_ros.evaluation.scoring import Condition
    from im2hands_ros.pipeline import Im2Hands

    model = Im2Hands.load(args.weights, device=args.device) if "network" in names else None
    methods = _load_methods(names, model, args.resolution)
    samples = list(_samples(args.split, args.count, args.data))
    conditions = [Condition(name, level) for level in noise for name in names]
    scored = {
        condition: _score(samples, condition, methods[condition.method], args.split)
        for condition in tqdm(conditions, desc="conditions", unit="condition")
    }
    settings = {
        "split": args.split,
        "scenes": len(samples),
        "resolution": args.resolution,
        "weights": model.record if model else None,
    }
    device = model.device if model else "cpu"
    write_report(args.out, report_of(scored, settings, device))
    print(args.out.with_suffix(".md").read_text(encoding="utf-8"))
    if args.pictures and model:
        from im2hands_ros.evaluation.pictures import save_ranked

        first = [scores for _, scores in scored[Condition("network", noise[0])]]
        save_ranked(args.pictures, model, samples, first, args.resolution)
    return 0


def _score(samples: list[Sample], condition: Condition, method: Method, split: str) -> Scored:
    from im2hands_ros.evaluation.scoring import case_of, score_sample, subset_of
    from im2hands_ros.synthetic.dataset import DEFAULT_POINTS

    usual = DEFAULT_POINTS[split].near
    scored: Scored = []
    title = f"{condition.method} {condition.noise_mm:g} mm"
    with tqdm(total=len(samples), desc=title, unit="scene", leave=False) as bar:
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            cases = [
                case_of(s, condition.noise_mm, usual if s.near is None else s.near) for s in batch
            ]
            for sample, case, found in zip(batch, cases, method(cases), strict=True):
                scored.append((subset_of(sample), score_sample(sample, case, found)))
                bar.update()
    return scored


def _load_methods(names: list[str], model: object, resolution: int) -> dict[str, Method]:
    from im2hands_ros.evaluation import methods

    makers = {
        "network": lambda: methods.network_method(model, resolution),
        "capsules": methods.capsule_method,
        "skinned": methods.skinned_method,
        "fitted": methods.fitted_method,
    }
    return {name: makers[name]() for name in names}


def _samples(split: str, count: int, data: Path | None) -> Iterator[Sample]:
    from im2hands_ros.synthetic.dataset import make_samples
    from im2hands_ros.synthetic.shards import load_shard

    if data is None:
        drawn = make_samples(split, 0, count)
        yield from tqdm(drawn, total=count, desc="scenes", unit="scene")
        return
    shards = sorted(data.glob(f"{split}_*.npz"))
    if not shards:
        raise FileNotFoundError(
            f"no {split}_*.npz in '{data}': make them with im2hands synthesize --split {split}"
        )
    for shard in shards:
        for sample in load_shard(shard)[:count]:
            yield sample
            count -= 1


def _noise_levels(text: str) -> list[float]:
    try:
        levels = [float(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"--noise {text}: give millimetres like 0,5,10") from None
    if any(not 0 <= level <= 100 for level in levels):
        raise ValueError(f"--noise {text}: give millimetres from 0 to 100")
    return levels


def _method_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in METHODS:
            raise ValueError(f"--methods: '{name}' is not one of {', '.join(METHODS)}")
    return names
