"""The stages that can be trained, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from im2hands_ros.training.fusion_stage import FusionPlan, FusionStage
from im2hands_ros.training.initial_stage import InitialStage
from im2hands_ros.training.keypoint_stage import KeypointPlan, KeypointStage
from im2hands_ros.training.landmark_stage import LandmarkPlan, LandmarkStage
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.refinement_stage import RefinementStage
from im2hands_ros.training.stage import Stage, freeze


class StageKind(NamedTuple):
    """How to make a stage.

    Attributes:
        plan: class of its plan.
        make: from its plan, a weights file (of earlier stages, or to go on from) or None, and a
            device.
    """

    plan: type[TrainingPlan]
    make: Callable[[Any, Path | None, torch.device], Stage]


STAGES: dict[str, StageKind] = {
    "initial": StageKind(TrainingPlan, InitialStage),
    "landmarks": StageKind(LandmarkPlan, LandmarkStage),
    "keypoints": StageKind(KeypointPlan, KeypointStage),
    "fusion": StageKind(FusionPlan, FusionStage),
    "refinement": StageKind(KeypointPlan, RefinementStage),
}


def make_stage(name: str, plan: TrainingPlan, weights: Path | None, device: torch.device) -> Stage:
    """A stage with networks that the plan's seed and the weights file decide."""
    torch.manual_seed(plan.batches.seed)
    stage = STAGES[name].make(plan, weights, device)
    stage.network.to(device)
    freeze(stage.frozen, device)
    return stage
