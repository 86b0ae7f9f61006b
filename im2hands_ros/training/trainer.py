"""Train the initial occupancy network: steps, moving average, checkpoints, validation, resume."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.presets import PRESETS
from im2hands_ros.training.batches import Batch, BatchPlan, SceneFolder, batches
from im2hands_ros.training.losses import (
    depth_loss,
    joint_loss,
    joint_targets,
    mask_loss,
    occupancy_loss,
)
from im2hands_ros.training.validation import ValidationScores, validate


@dataclass(frozen=True)
class TrainingPlan:
    """One training run; together with the data it decides the result.

    Attributes:
        steps: of the whole schedule; stopping earlier and resuming continues it.
        learning_rate: peak, after ``warm_up`` steps; then a cosine down to 1 % of it.
        mask_weight, occupancy_weight, joint_weight: of those losses, beside the depth loss.
        average: decay of the moving average of the weights, which is what gets packaged.
        save_every, validate_every: steps.
    """

    steps: int = 12000
    learning_rate: float = 2e-3
    warm_up: int = 200
    weight_decay: float = 1e-4
    mask_weight: float = 0.3
    occupancy_weight: float = 0.5
    joint_weight: float = 0.1
    average: float = 0.998
    save_every: int = 250
    validate_every: int = 1000
    batches: BatchPlan = BatchPlan()


class Trainer:
    """Owns the network, its moving average, the optimiser and the run's folder."""

    def __init__(self, plan: TrainingPlan, out: Path, device: torch.device) -> None:
        torch.manual_seed(plan.batches.seed)
        self.plan, self.out, self.device = plan, out, device
        self.network = InitialOccupancy(PRESETS["compact"]).to(device)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.step = 0
        self.best = math.inf

    @property
    def _state_path(self) -> Path:
        return self.out / "latest.pt"

    def resume(self) -> bool:
        """Continue from the folder's last checkpoint, if there is one."""
        if not self._state_path.exists():
            return False
        state = torch.load(self._state_path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = state["average"]
        self.step, self.best = state["step"], state["best"]
        return True

    def save(self) -> None:
        """Write everything a resumed run needs; a reader never sees it half written."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "best": self.best,
        }
        partial = self._state_path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._state_path)

    def run(
        self, train: SceneFolder, validation: SceneFolder, record: dict[str, Any], until: int
    ) -> None:
        """Train to step ``until``, saving and validating on the way.

        Args:
            train, validation: scenes.
            record: how the weights come to be; stored with them.
            until: last step, at most the plan's.
        """
        bar = tqdm(total=until, initial=self.step, unit="step", desc="training", dynamic_ncols=True)
        source = batches(train, self.plan.batches, self.step, until)
        with bar, contextlib.closing(source) as drawn:
            for batch in drawn:
                losses = self.train_step(batch.to(self.device))
                bar.set_postfix(losses)
                bar.update()
                self._log({"step": self.step, **losses})
                if self.step % self.plan.save_every == 0 or self.step == until:
                    self.save()
                if self.step % self.plan.validate_every == 0 or self.step == until:
                    self._validate(validation, record, bar)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; returns its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16):
            terms = self._losses(batch)
        total = torch.stack([self._weights[name] * term for name, term in terms.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return {name: round(value.item(), 4) for name, value in terms.items()}

    @property
    def _weights(self) -> dict[str, float]:
        plan = self.plan
        return {
            "depth_mm": 1.0,
            "occupancy": plan.occupancy_weight,
            "mask": plan.mask_weight,
            "joints": plan.joint_weight,
        }

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        hands = canonicalise(batch.keypoints, batch.mirrored)
        points = hands.palm_from_camera(batch.points)
        if not len(batch.image):
            logits = self.network.decoder(points, self.network.decoder.bones(hands), image=None)
            return _occupancy_terms(logits, batch)
        features = self.network.encoder(batch.image.to(memory_format=torch.channels_last))
        context = self.network.context(features, batch.image_index, batch.intrinsics, hands)
        logits = self.network(points, context)
        masks = self.network.encoder.masks(features)
        return {
            **_occupancy_terms(logits, batch),
            "mask": mask_loss(masks, batch.mask),
            "joints": joint_loss(*joint_targets(features.joints, batch)),
        }

    def _learning_rate(self) -> float:
        plan = self.plan
        if self.step < plan.warm_up:
            return plan.learning_rate * (self.step + 1) / plan.warm_up
        progress = (self.step - plan.warm_up) / max(1, plan.steps - plan.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return plan.learning_rate * (0.01 + 0.99 * cosine)

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average forgets faster, or it would remember the random start for long.
        decay = min(self.plan.average, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _validate(self, scenes: SceneFolder, record: dict[str, Any], bar: tqdm) -> None:
        with self._averaged():
            scores = validate(self.network, scenes, self.plan.batches, self.device)
        self._log({"step": self.step, "validation": asdict(scores)})
        bar.write(f"step {self.step}: {scores}")
        if scores.selection < self.best:
            self.best = scores.selection
            self._write_weights(record, scores)
            self.save()

    def _write_weights(self, record: dict[str, Any], scores: ValidationScores) -> None:
        record = {**record, "step": self.step, "validation": asdict(scores)}
        with self._averaged():
            checkpoints.save(self.network, self.out / "best.safetensors", record)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network with its averaged weights, for the time of the block."""
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        self.network.eval()
        try:
            yield
        finally:
            self.network.load_state_dict(kept)

    def _log(self, entry: dict[str, Any]) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **entry}) + "\n")


def _occupancy_terms(logits: Tensor, batch: Batch) -> dict[str, Tensor]:
    return {
        "depth_mm": depth_loss(logits, batch.depth),
        "occupancy": occupancy_loss(logits, batch.depth),
    }
