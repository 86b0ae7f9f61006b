"""Train any stage: steps, moving average, checkpoints, validation, resume."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from im2hands_ros.networks import checkpoints
from im2hands_ros.training.batches import SceneFolder
from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.precision import choose_precision
from im2hands_ros.training.prefetch import prefetch
from im2hands_ros.training.run_log import RunLog
from im2hands_ros.training.run_state import (
    read_state,
    refuse_non_finite,
    restore_optimiser,
    state_of,
    write_state,
)
from im2hands_ros.training.stage import Stage, Term
from im2hands_ros.training.stopping import StopRequest

# Steps in a row whose losses or gradients are not finite, before the run gives up.
_PATIENCE = 20


class Trainer:
    """Owns a stage's network, its moving average, the optimiser and the run's folder.

    Attributes:
        step: steps done. best: smallest ``selection`` of a validation so far.
    """

    def __init__(self, stage: Stage, plan: TrainingPlan, out: Path, processes: Processes) -> None:
        self.stage, self.plan, self.out, self.processes = stage, plan, out, processes
        self.network, self.device = stage.network, processes.device
        processes.synchronise(self.network)
        self.precision = choose_precision(plan.precision, self.device)
        self.optimiser = torch.optim.AdamW(
            [p for p in self.network.parameters() if p.requires_grad],
            plan.learning_rate,
            weight_decay=plan.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(enabled=self.precision is torch.float16)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.step = 0
        self.best = math.inf
        self._validated = 0
        self._skipped = 0

    @property
    def state_path(self) -> Path:
        """The file that a resumed run reads."""
        return self.out / "latest.safetensors"

    def resume(self) -> bool:
        """Continue from the folder's last checkpoint, if there is one.

        Raises ValueError when it is of another stage.
        """
        content = b""
        if self.processes.first and self.state_path.exists():
            facts = read_state(self.state_path).facts
            if facts["stage"] != self.stage.name:
                raise ValueError(
                    f"{self.state_path} is of the stage '{facts['stage']}', not "
                    f"'{self.stage.name}': choose another --out"
                )
            content = self.state_path.read_bytes()
        content = self.processes.share(content)
        if not content:
            return False
        state = state_of(content)
        self.network.load_state_dict(state.group("network"))
        restore_optimiser(self.network, self.optimiser, state.group("optimiser"))
        for name, value in state.group("average").items():
            self.average[name].copy_(value)
        if self.scaler.is_enabled() and state.facts["scaler"]:
            self.scaler.load_state_dict(state.facts["scaler"])
        self.step, self._validated = state.facts["step"], state.facts["validated"]
        self.best = math.inf if state.facts["best"] is None else state.facts["best"]
        return True

    def save(self) -> None:
        """Write everything that a resumed run needs."""
        if not self.processes.first:
            return
        facts = {
            "stage": self.stage.name,
            "step": self.step,
            "validated": self._validated,
            "best": self.best if math.isfinite(self.best) else None,
            "scaler": self.scaler.state_dict(),
        }
        write_state(self.state_path, self.network, self.average, self.optimiser, facts)

    def run(
        self, train: SceneFolder, validation: SceneFolder, record: dict[str, Any], until: int
    ) -> int | None:
        """Train to step ``until``, saving and validating on the way.

        Args:
            train, validation: scenes.
            record: how the weights come to be; stored with them.
            until: last step, at most the plan's.

        Returns:
            The signal that stopped the run before its end, if one did. All is saved then.
        """
        part = self.processes.part(self.plan.batches.scenes)
        source = prefetch(lambda step: self.stage.draw(train, step, part), self.step, until)
        bar = tqdm(
            total=until,
            initial=self.step,
            unit="step",
            desc=self.stage.name,
            dynamic_ncols=True,
            disable=not self.processes.first,
        )
        log = RunLog(self.out) if self.processes.first else None
        with StopRequest() as stop, bar, contextlib.closing(source) as drawn:
            if self._due(until):
                self._validate(validation, record, bar, log, stop)
            for batch in drawn:
                rate = self._learning_rate()
                losses = self.train_step(batch.to(self.device))
                bar.set_postfix({name: f"{value:.4g}" for name, value in losses.items()})
                bar.update()
                if log:
                    log.step(self.step, losses, rate)
                stopped = self.processes.any(stop.signal is not None)
                if stopped or self.step == until or self.step % self.plan.save_every == 0:
                    self.save()
                if not stopped and self._due(until):
                    self._validate(validation, record, bar, log, stop)
                    stopped = self.processes.any(stop.signal is not None)
                if stopped:
                    return stop.signal or 0
        return None

    def train_step(self, batch: Any) -> dict[str, float]:
        """One optimiser step; returns the losses of the whole batch.

        A step whose losses or gradients are not finite changes nothing but the step count.

        Raises RuntimeError after too many of those in a row.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        self.network.train()
        torch.manual_seed(hash((self.plan.batches.seed, self.step, self.processes.rank)))
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        with torch.autocast(
            self.device.type, self.precision, enabled=self.precision is not torch.float32
        ):
            terms = self.stage.losses(batch)
        losses, total = self._combine(terms)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        self.processes.sum_gradients(self._parameters)
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self._parameters, self.plan.gradient_norm)
        self.step += 1
        if all(map(math.isfinite, losses.values())) and math.isfinite(norm):
            self.scaler.step(self.optimiser)
            self._update_average()
            self._skipped = 0
        else:
            for buffer, kept in zip(self.network.buffers(), statistics, strict=True):
                buffer.copy_(kept)
            self._skip(losses)
        self.scaler.update()
        return losses

    @property
    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    def _combine(self, terms: dict[str, Term]) -> tuple[dict[str, float], Tensor]:
        """Means over all processes, and what this process adds to the weighted sum of them."""
        names = list(terms)
        means = torch.stack([terms[name].mean.float() for name in names])
        counts = means.new_tensor([terms[name].count for name in names], dtype=torch.float64)
        # A mean over nothing may be NaN; times zero it would stay that.
        means = torch.where(counts > 0, means, means.nan_to_num() * 0)
        sums = self.processes.sum(torch.cat([means.detach() * counts, counts]))
        shared, total_counts = sums.chunk(2)
        present = total_counts.clamp_min(1)
        weights = means.new_tensor([self.stage.loss_weights[name] for name in names])
        total = (means * weights * (counts / present).float()).sum()
        values = (shared / present).tolist()
        seen = zip(names, values, total_counts.tolist(), strict=True)
        return {name: round(value, 6) for name, value, count in seen if count}, total

    def _skip(self, losses: dict[str, float]) -> None:
        self._skipped += 1
        if self._skipped >= _PATIENCE:
            raise RuntimeError(
                f"losses or gradients were not finite in {_PATIENCE} steps up to {self.step} "
                f"(last: {losses}): use a smaller --learning-rate or --precision fp32; "
                f"{self.state_path} is not touched"
            )

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

    def _due(self, until: int) -> bool:
        ends = self.step == until or self.step % self.plan.validate_every == 0
        return ends and self.step > self._validated

    def _validate(
        self,
        scenes: SceneFolder,
        record: dict[str, Any],
        bar: tqdm,
        log: RunLog | None,
        stop: StopRequest,
    ) -> None:
        """In the first process; the others wait where they next need it."""
        if log:
            with stop.at_once(), self._averaged():
                scores = {k: round(v, 5) for k, v in self.stage.validate(scenes).items()}
                self._validated = self.step
            if self._validated < self.step:
                return
            log.validation(self.step, scores)
            bar.write(f"step {self.step}: {scores}")
            if scores["selection"] < self.best:
                self.best = scores["selection"]
                self._write_weights(record, scores)
            self.save()

    def _write_weights(self, record: dict[str, Any], scores: dict[str, float]) -> None:
        record = {**record, "step": self.step, "validation": scores}
        with self._averaged():
            weights = {name: t.detach().contiguous() for name, t in self.stage.weights().items()}
            refuse_non_finite(weights)
            checkpoints.write(weights, self.out / "best.safetensors", record)

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
