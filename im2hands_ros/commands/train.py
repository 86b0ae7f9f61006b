"""``im2hands train``: shards of scenes in, weights of one stage out."""

from __future__ import annotations

import argparse
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from im2hands_ros.networks import checkpoints
from im2hands_ros.provenance import describe
from im2hands_ros.training.distributed import Processes, device_of
from im2hands_ros.training.plan import PACKAGED, PRECISIONS, TrainingPlan, read_plan
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stages import STAGES, make_stage
from im2hands_ros.training.trainer import Trainer

# Flag -> (type, what of the plan it changes, help).
_CHANGES = {
    "--steps": (int, "steps", "length of the schedule"),
    "--batch": (int, "batches.scenes", "scenes a step, over all processes"),
    "--points": (int, "batches.points", "query points a hand"),
    "--keypoint-only-steps": (int, "batches.keypoint_only_steps", "first steps, without images"),
    "--seed": (int, "batches.seed", "of everything that is random"),
    "--learning-rate": (float, "learning_rate", "its peak"),
    "--precision": (str, "precision", ", ".join(PRECISIONS)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.description = (
        "Train one stage.\n\n"
        "Reads shards made by 'im2hands synthesize' (or of your own data, docs/own-data.md) from\n"
        "DATA/train and DATA/val. The plan of the run is STAGE.yaml in\n"
        f"  {PACKAGED}\n"
        "with the values of --config over it, and the options below over both.\n\n"
        "Writes OUT/best.safetensors (moving average of the weights with the best validation\n"
        "score, for --weights of any command), OUT/latest.safetensors (to resume), OUT/log.jsonl\n"
        "and TensorBoard events. Ctrl-C or SIGTERM saves and stops; the same command goes on.\n\n"
        "Several processes, GPUs or machines: torchrun --nproc-per-node N -m im2hands_ros.cli\n"
        "train STAGE ...; they share each step's batch and give what one process would."
    )
    names = list(STAGES)
    metavar = "{" + ",".join(names) + "}"
    parser.add_argument("stage", choices=names, metavar=metavar, help="what to train")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train/ and val/ shards"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of this run; resumed if it exists"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        help="weights to begin with: of the earlier stages, or of this one to train it further",
    )
    parser.add_argument("--config", type=Path, help="YAML with values to replace in the plan")
    for flag, (kind, _, text) in _CHANGES.items():
        parser.add_argument(flag, type=kind, help=f"{text} (default: as the plan says)")
    parser.add_argument("--until", type=int, help="stop at this step of the schedule")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    parser.add_argument("--threads", type=int, help="CPU threads of each process")


def run(args: argparse.Namespace) -> int:
    """Train or continue; returns the exit status."""
    if args.threads:
        torch.set_num_threads(args.threads)
    plan = plan_of(args)
    processes = Processes.join(device_of(args.device))
    try:
        return _train(args, plan, processes)
    finally:
        processes.leave()


def _train(args: argparse.Namespace, plan: TrainingPlan, processes: Processes) -> int:
    train, validation = SceneFolder(args.data / "train"), SceneFolder(args.data / "val")
    stage = make_stage(args.stage, plan, args.weights, processes.device)
    trainer = Trainer(stage, plan, args.out, processes)
    changed = trainer.resume()
    if processes.first:
        if changed is not None:
            since = f", with {'; '.join(changed)}" if changed else ""
            print(f"resuming {args.out} at step {trainer.step}{since}")
        print(
            f"{len(train)} scenes to train on, {len(validation)} to validate on, "
            f"{processes.count} x {processes.device}, {trainer.learner.precision}"
        )
    record = record_of(args, plan, train, processes) | train.origin()
    until = min(args.until or plan.steps, plan.steps)
    stopped = trainer.run(train, validation, record, until)
    if stopped is None:
        return 0
    if processes.first:
        print(
            f"stopped at step {trainer.step} of {until}, saved in {trainer.state_path}: "
            "the same command goes on from there"
        )
    return 128 + (stopped or signal.SIGTERM)


def plan_of(args: argparse.Namespace) -> TrainingPlan:
    """The plan that the arguments describe."""
    changes = {}
    for flag, (_, name, _) in _CHANGES.items():
        value = getattr(args, flag.removeprefix("--").replace("-", "_"))
        if value is not None:
            changes[name] = value
    return read_plan(args.stage, STAGES[args.stage].plan, args.config, changes)


def record_of(
    args: argparse.Namespace, plan: TrainingPlan, train: SceneFolder, processes: Processes
) -> dict[str, Any]:
    """What a reader needs to make the same weights again."""
    record = {
        "command": f"im2hands train {args.stage}",
        "plan": asdict(plan),
        "preset": "compact",
        "scenes": len(train),
        "data": "im2hands synthesize --split train",
        "machine": describe(processes.device),
        "processes": processes.count,
        "licence": "Apache-2.0",
    }
    if args.weights is not None:
        began = {"file": args.weights.name, "sha256": checkpoints.sha256(args.weights)}
        record["began_with"] = {**began, "record": checkpoints.record_of(args.weights)}
    return record
