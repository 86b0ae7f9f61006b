"""What learns: a stage's network, its moving average, the optimiser; one step at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from im2hands_ros.precision import training_dtype
from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.run_state import RunState, moments_of, restore_moments
from im2hands_ros.training.stage import Stage, Term

# Steps in a row whose losses or gradients are not finite, before the run gives up.
_MOST_BAD = 20


class Learner:
    """Takes the optimiser's steps.

    Attributes:
        step: steps taken.
        average: moving average of the network's state, which is what gets packaged.
        precision: dtype of the networks' arithmetic.
    """

    def __init__(self, stage: Stage, plan: TrainingPlan, processes: Processes) -> None:
        self.stage, self.plan, self._processes = stage, plan, processes
        self._network = stage.network
        processes.synchronise(self._network)
        self._parameters = [p for p in self._network.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._parameters, plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.precision = training_dtype(plan.precision, processes.device)
        # Half-precision gradients of small losses would be zero.
        self._scaler = torch.amp.GradScaler(enabled=self.precision is torch.float16)
        self.average = {k: v.detach().clone() for k, v in self._network.state_dict().items()}
        self.step = 0
        self._skipped = 0

    def train_step(self, batch: Any) -> dict[str, float]:
        """One optimiser step; returns the losses of the whole batch.

        A step whose losses or gradients are not finite changes nothing but the step count.

        Raises RuntimeError after too many of those in a row.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate
        self._network.train()
        # Whatever a network draws itself is repeatable, too.
        torch.manual_seed(hash((self.plan.batches.seed, self.step, self._processes.rank)))
        statistics = [buffer.clone() for buffer in self._network.buffers()]
        losses, total = self._combine(self._terms(batch))
        norm = self._gradients(total)
        self.step += 1
        if math.isfinite(norm) and all(map(math.isfinite, losses.values())):
            self._scaler.step(self._optimiser)
            self._update_average()
            self._skipped = 0
        else:
            for buffer, kept in zip(self._network.buffers(), statistics, strict=True):
                buffer.copy_(kept)
            self._skip(losses)
        self._scaler.update()
        return losses

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        plan = self.plan
        if self.step < plan.warm_up:
            return plan.learning_rate * (self.step + 1) / plan.warm_up
        progress = (self.step - plan.warm_up) / max(1, plan.steps - plan.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return plan.learning_rate * (0.01 + 0.99 * cosine)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with its averaged weights, evaluating, for the time of the block."""
        kept = {k: v.clone() for k, v in self._network.state_dict().items()}
        self._network.load_state_dict(self.average)
        self._network.eval()
        try:
            yield
        finally:
            self._network.load_state_dict(kept)

    def state(self) -> RunState:
        """All that ``restore`` needs."""
        return RunState.of(
            {
                "network": self._network.state_dict(),
                "average": self.average,
                "optimiser": moments_of(self._network, self._optimiser),
            },
            {"step": self.step, "scaler": self._scaler.state_dict()},
        )

    def restore(self, state: RunState) -> None:
        """Go on where the learner was that gave this state."""
        self._network.load_state_dict(state.group("network"))
        restore_moments(self._network, self._optimiser, state.group("optimiser"))
        for name, value in state.group("average").items():
            self.average[name].copy_(value)
        if self._scaler.is_enabled() and state.facts["scaler"]:
            self._scaler.load_state_dict(state.facts["scaler"])
        self.step = state.facts["step"]

    def _terms(self, batch: Any) -> dict[str, Term]:
        mixed = self.precision is not torch.float32
        with torch.autocast(self._processes.device.type, self.precision, enabled=mixed):
            return self.stage.losses(batch)

    def _combine(self, terms: dict[str, Term]) -> tuple[dict[str, float], Tensor]:
        """Means over all processes, and what this process adds to the weighted sum of them."""
        names = list(terms)
        means = torch.stack([terms[name].mean.float() for name in names])
        counts = means.new_tensor([terms[name].count for name in names], dtype=torch.float64)
        # A mean over nothing may be NaN, and times zero it would stay that.
        means = torch.where(counts > 0, means, means.nan_to_num() * 0)
        sums = self._processes.sum(torch.cat([means.detach() * counts, counts]))
        shared, total_counts = sums.chunk(2)
        present = total_counts.clamp_min(1)
        weights = means.new_tensor([self.stage.loss_weights[name] for name in names])
        total = (means * weights * (counts / present).float()).sum()
        values = zip(names, (shared / present).tolist(), total_counts.tolist(), strict=True)
        return {name: round(value, 6) for name, value, count in values if count}, total

    def _gradients(self, total: Tensor) -> float:
        """Leave the whole batch's gradient in the parameters, shortened; returns its length."""
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()
        self._processes.sum_gradients(self._parameters)
        self._scaler.unscale_(self._optimiser)
        return float(nn.utils.clip_grad_norm_(self._parameters, self.plan.gradient_norm))

    def _skip(self, losses: dict[str, float]) -> None:
        self._skipped += 1
        if self._skipped >= _MOST_BAD:
            raise RuntimeError(
                f"losses or gradients were not finite in the {_MOST_BAD} steps up to {self.step} "
                f"(losses: {losses}): resume with a smaller --learning-rate or --precision fp32"
            )

    @torch.no_grad()
    def _update_average(self) -> None:
        # Faster at first, or the random start would stay in it for long.
        decay = min(self.plan.average, (1 + self.step) / (10 + self.step))
        for name, value in self._network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)
