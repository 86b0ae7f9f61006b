"""``im2hands train``: shards of scenes in, weights out."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from im2hands_ros.evaluation.machine import describe
from im2hands_ros.training.batches import BatchPlan, SceneFolder
from im2hands_ros.training.trainer import Trainer, TrainingPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    plan = TrainingPlan()
    parser.description = (
        "Train the initial occupancy network. Reads shards made by 'im2hands synthesize' (or of "
        "your own data, docs/own-data.md) from DATA/train and DATA/val; writes OUT/latest.pt (to "
        "resume), OUT/best.safetensors (moving average of the weights with the best validation "
        "score) and OUT/log.jsonl."
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/ and val/ shards"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of this run; resumed if it exists"
    )
    parser.add_argument("--steps", type=int, default=plan.steps, help="length of the schedule")
    parser.add_argument("--until", type=int, help="stop at this step of the schedule")
    parser.add_argument("--batch", type=int, default=plan.batches.scenes, help="scenes a step")
    parser.add_argument("--points", type=int, default=plan.batches.points, help="points a hand")
    parser.add_argument(
        "--blind-steps",
        type=int,
        default=plan.batches.blind_steps,
        help="first steps, without images",
    )
    parser.add_argument("--seed", type=int, default=plan.batches.seed)
    parser.add_argument("--learning-rate", type=float, default=plan.learning_rate)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    parser.add_argument("--threads", type=int, help="CPU threads")


def run(args: argparse.Namespace) -> int:
    """Train or continue; returns the exit status."""
    if args.threads:
        torch.set_num_threads(args.threads)
    plan = plan_of(args)
    device = torch.device(_device(args.device))
    train, validation = SceneFolder(args.data / "train"), SceneFolder(args.data / "val")
    trainer = Trainer(plan, args.out, device)
    if trainer.resume():
        print(f"resuming {args.out} at step {trainer.step}")
    print(f"{len(train)} scenes to train on, {len(validation)} to validate on, device {device}")
    record = record_of(plan, train, device) | origin_of(args.data / "train")
    trainer.run(train, validation, record, args.until or plan.steps)
    return 0


def plan_of(args: argparse.Namespace) -> TrainingPlan:
    """The training plan that the arguments describe."""
    drawing = replace(BatchPlan(), scenes=args.batch, points=args.points, seed=args.seed)
    drawing = replace(drawing, blind_steps=args.blind_steps)
    return replace(
        TrainingPlan(), steps=args.steps, learning_rate=args.learning_rate, batches=drawing
    )


def record_of(plan: TrainingPlan, train: SceneFolder, device: torch.device) -> dict[str, Any]:
    """What a reader needs to make the same weights again."""
    return {
        "command": "im2hands train",
        "plan": asdict(plan),
        "preset": "compact",
        "scenes": len(train),
        "data": "im2hands synthesize --split train",
        "machine": describe(device),
        "licence": "Apache-2.0",
    }


def origin_of(folder: Path) -> dict[str, Any]:
    """Data and licence as the conversion of a data set left them beside its shards, if one did."""
    path = folder / "train.json"
    if not path.is_file():
        return {}
    made = json.loads(path.read_text(encoding="utf-8"))
    return {name: made[name] for name in ("data", "licence") if name in made}


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
