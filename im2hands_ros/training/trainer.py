"""Train any stage in a folder: steps, checkpoints, validation, logs, resume."""

from __future__ import annotations

import contextlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from im2hands_ros.networks import checkpoints
from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.learner import Learner
from im2hands_ros.training.plan import TrainingPlan, changes_between
from im2hands_ros.training.prefetch import prefetch
from im2hands_ros.training.run_log import RunLog
from im2hands_ros.training.run_state import RunState, write_finite
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stage import Stage
from im2hands_ros.training.stopping import StopRequest


class Trainer:
    """Owns the run's folder; of several processes, only the first touches it.

    Attributes:
        learner: takes the steps.
        best: smallest ``selection`` of a validation so far.
    """

    def __init__(self, stage: Stage, plan: TrainingPlan, out: Path, processes: Processes) -> None:
        self.stage, self.plan, self.out, self.processes = stage, plan, out, processes
        self.learner = Learner(stage, plan, processes)
        self.best = math.inf
        self._validated = 0

    @property
    def step(self) -> int:
        """Steps done."""
        return self.learner.step

    @property
    def state_path(self) -> Path:
        """The file that a resumed run reads."""
        return self.out / "latest.safetensors"

    def resume(self) -> list[str] | None:
        """Continue from the folder's last checkpoint.

        Returns:
            What has changed in the plan since, or None when there is no checkpoint.

        Raises:
            ValueError: it is damaged or of another stage.
        """
        content = self.processes.broadcast(self._checkpoint() if self.processes.first else b"")
        if not content:
            return None
        state = RunState.parse(content)
        self.learner.restore(state)
        self._validated = state.facts["validated"]
        self.best = math.inf if state.facts["best"] is None else state.facts["best"]
        return changes_between(state.facts["plan"], asdict(self.plan))

    def save(self) -> None:
        """Write everything that a resumed run needs."""
        if not self.processes.first:
            return
        state = self.learner.state()
        facts = {
            "stage": self.stage.name,
            "plan": asdict(self.plan),
            "validated": self._validated,
            "best": self.best if math.isfinite(self.best) else None,
        }
        write_finite(state.tensors, self.state_path, {**state.facts, **facts})

    def run(
        self, train: SceneFolder, validation: SceneFolder, record: dict[str, Any], until: int
    ) -> int | None:
        """Train to step ``until``, saving and validating on the way.

        Args:
            train, validation: scenes.
            record: how the weights come to be; stored with them.
            until: last step, at most the plan's.

        Returns:
            The signal that stopped it before the end, if one did (0: another process got it).
            All is saved then.
        """
        part = self.processes.part(self.plan.batches.scenes)
        source = prefetch(lambda step: self.stage.draw(train, step, part), self.step, until)
        quiet = not self.processes.first
        log = RunLog(self.out, self.stage.name, self.step, until, quiet, self._validated)
        with StopRequest() as stop, log, contextlib.closing(source) as drawn:
            self._validate_when_due(validation, record, until, log, stop)
            for batch in drawn:
                rate = self.learner.learning_rate
                losses = self.learner.train_step(batch.to(self.processes.device))
                log.step(self.step, losses, rate)
                stopped = self._agreed(stop)
                if stopped or self.step == until or self.step % self.plan.save_every == 0:
                    self.save()
                if not stopped and self._validate_when_due(validation, record, until, log, stop):
                    stopped = self._agreed(stop)
                if stopped:
                    return stop.signal or 0
        return None

    def _checkpoint(self) -> bytes:
        if not self.state_path.exists():
            return b""
        stage = checkpoints.record_of(self.state_path).get("stage")
        if stage != self.stage.name:
            raise ValueError(
                f"{self.state_path} is of the stage '{stage}', not '{self.stage.name}': "
                "choose another --out"
            )
        return self.state_path.read_bytes()

    def _agreed(self, stop: StopRequest) -> bool:
        """Whether any process got a stop request; all of them stop after the same step."""
        return self.processes.any(stop.signal is not None)

    def _validate_when_due(
        self,
        scenes: SceneFolder,
        record: dict[str, Any],
        until: int,
        log: RunLog,
        stop: StopRequest,
    ) -> bool:
        """Whether it was due. The first process validates; the others wait where they meet it."""
        ends = self.step == until or self.step % self.plan.validate_every == 0
        if not ends or self.step == 0:
            return False
        if self.processes.first and self._validated < self.step:
            with stop.at_once(), self.learner.averaged():
                self._judge(self.stage.validate(scenes), record, log)
            self.save()
        return True

    def _judge(self, scores: dict[str, float], record: dict[str, Any], log: RunLog) -> None:
        """Keep the weights if none before were better."""
        scores = {name: round(value, 5) for name, value in scores.items()}
        log.validation(self.step, scores)
        if scores["selection"] < self.best:
            record = {**record, "step": self.step, "validation": scores}
            write_finite(self.stage.weights(), self.out / "best.safetensors", record)
            self.best = scores["selection"]
        self._validated = self.step
