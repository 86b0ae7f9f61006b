"""One process of a training run of several: a test starts as many as it needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from ball_scenes import BallScenes
from toy_stage import ToyStage, toy_plan

from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.learner import Learner
from im2hands_ros.training.plan import read_plan
from im2hands_ros.training.stages import STAGES, make_stage
from im2hands_ros.training.trainer import Trainer

CHANGES = {
    "batches.scenes": 3,
    "batches.points": 48,
    "precision": "fp32",
    "warm_up": 1,
}


def toy_curve(processes: Processes) -> list[dict[str, float]]:
    """Losses of the toy stage."""
    plan = toy_plan()
    return _curve(Learner(ToyStage(plan), plan, processes), None, processes, 12)


def stage_curve(name: str, weights: Path | None, processes: Processes) -> list[dict[str, float]]:
    """Losses of one of the project's stages."""
    first = {"batches.keypoint_only_steps": int(name != "refinement")}
    plan = read_plan(name, STAGES[name].plan, changes={**CHANGES, **first})
    stage = make_stage(name, plan, weights, processes.device)
    return _curve(Learner(stage, plan, processes), BallScenes(), processes, 3)


def _curve(
    learner: Learner, scenes: object, processes: Processes, steps: int
) -> list[dict[str, float]]:
    part = processes.part(learner.plan.batches.scenes)
    return [learner.train_step(learner.stage.draw(scenes, step, part)) for step in range(steps)]


def endless(out: Path, processes: Processes) -> list[int | None]:
    """What ended a run that has no end, and after which step."""
    plan = toy_plan(steps=10**6)
    trainer = Trainer(ToyStage(plan), plan, out, processes)
    trainer.resume()
    return [trainer.run([0], [0], {}, until=plan.steps), trainer.step]


def main(out: Path, weights: Path) -> None:
    """Join the others; write down the losses that each process has seen, and its end."""
    torch.set_num_threads(1)
    processes = Processes.join(torch.device("cpu"))
    curves = {"toy": toy_curve(processes)}
    curves |= {name: stage_curve(name, weights, processes) for name in STAGES}
    (out / f"curves{processes.rank}.json").write_text(json.dumps(curves))
    (out / f"end{processes.rank}.json").write_text(json.dumps(endless(out, processes)))
    processes.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
