"""A stage that trains in milliseconds: batch norm, dropout, parts of unequal size."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.training.plan import TrainingPlan, read_plan
from im2hands_ros.training.stage import Term


class ToyBatch(NamedTuple):
    """One to three things a scene; ``rare`` says which of them the second loss is about."""

    x: Tensor
    rare: Tensor

    def to(self, device):
        return ToyBatch(*(value.to(device) for value in self))


class ToyStage:
    """Brings what a small network says of random numbers to 3.

    Attributes:
        on_step: called with the step of each batch before its losses.
    """

    name = "toy"

    def __init__(self, plan: TrainingPlan, dropout: float = 0.0) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Conv1d(4, 8, 1),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Sequential(nn.Conv1d(8, 8, 1, bias=False), nn.BatchNorm1d(8)),
            nn.Conv1d(8, 1, 1),
        )
        self.frozen = {}
        self.loss_weights = {"square": 1.0, "rare": 0.5}
        self.plan = plan
        self.steps = 0
        self.on_step = lambda step: None

    def draw(self, folder, step, part):
        drawn = []
        for number in range(self.plan.batches.scenes)[part]:
            rng = np.random.default_rng((self.plan.batches.seed, step, number))
            drawn.append(rng.normal(1, 2, (1 + number % 3, 4, 5)))
        x = torch.from_numpy(np.concatenate(drawn)).float()
        return ToyBatch(x, x[:, 0, 0] > 3)

    def losses(self, batch):
        self.on_step(self.steps)
        self.steps += 1
        said = self.network(batch.x)[:, 0]
        rare = said[batch.rare]
        return {
            "square": Term((said - 3).square().mean(), said.numel()),
            "rare": Term(rare.abs().mean(), rare.numel()),
        }

    def validate(self, folder):
        said = self.network(self.draw(folder, 10**6, slice(None)).x)
        return {"selection": float(said.detach().square().mean())}

    def weights(self):
        return {f"toy.{name}": value for name, value in self.network.state_dict().items()}


def toy_plan(**changes) -> TrainingPlan:
    """The initial stage's plan, for six scenes a step and full precision."""
    plan = read_plan("initial", TrainingPlan, changes={"batches.scenes": 6, "precision": "fp32"})
    return dataclasses.replace(
        plan, **{"steps": 40, "warm_up": 2, "learning_rate": 0.03, **changes}
    )
