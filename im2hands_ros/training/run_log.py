"""The log of a training run: progress bar, one JSON object a line, TensorBoard events."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Scores = dict[str, float]
NO_TENSORBOARD = "no TensorBoard events, log.jsonl only: pip install 'im2hands_ros[train]' for both"
_FLUSH_SECONDS = 10


class RunLog:
    """Shows progress and appends to a run's folder while the ``with`` block runs."""

    def __init__(
        self, out: Path, title: str, first: int, last: int, quiet: bool, validated: int = 0
    ) -> None:
        """Log the steps after ``first`` and the validations after the one of step ``validated``.

        Lines that the folder has of these are dropped: an earlier run got further than the
        checkpoint that this one goes on from. ``quiet`` shows and writes nothing.
        """
        self._out, self._quiet = out, quiet
        self._title, self._first, self._last = title, first, last
        self._validated = validated

    def __enter__(self) -> RunLog:
        self._bar = tqdm(
            total=self._last,
            initial=self._first,
            unit="step",
            desc=self._title,
            dynamic_ncols=True,
            disable=self._quiet,
        )
        if not self._quiet:
            self._out.mkdir(parents=True, exist_ok=True)
            path = self._out / "log.jsonl"
            _drop_lines(path, self._first, self._validated)
            self._lines = path.open("a", encoding="utf-8")
            self._events = self._event_writer()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if not self._quiet:
            self._lines.close()
            if self._events is not None:
                self._events.close()

    def step(self, step: int, losses: Scores, learning_rate: float) -> None:
        """Losses of one step; in the lines, those that are not finite are null."""
        self._bar.set_postfix({name: f"{value:.4g}" for name, value in losses.items()})
        self._bar.update()
        if self._quiet:
            return
        finite = {name: value if math.isfinite(value) else None for name, value in losses.items()}
        self._line({"step": step, **finite})
        tagged = {f"loss/{name}": value for name, value in losses.items()}
        self._add_scalars(step, {**tagged, "learning_rate": learning_rate})

    def validation(self, step: int, scores: Scores) -> None:
        """Scores on the validation scenes."""
        if self._quiet:
            return
        self._bar.write(f"step {step}: {scores}")
        self._line({"step": step, "validation": scores})
        self._add_scalars(step, {f"validation/{name}": v for name, v in scores.items()})

    def _event_writer(self) -> SummaryWriter | None:
        """A new event file; what an earlier one has of the coming steps is void."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._bar.write(NO_TENSORBOARD)
            return None
        return SummaryWriter(str(self._out), purge_step=self._first + 1, flush_secs=_FLUSH_SECONDS)

    def _add_scalars(self, step: int, values: Scores) -> None:
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(name, value, step)

    def _line(self, entry: dict[str, object]) -> None:
        self._lines.write(json.dumps({"time": round(time.time(), 1), **entry}) + "\n")
        self._lines.flush()


def _drop_lines(path: Path, step: int, validated: int) -> None:
    """Take out lines of later steps and validations, and one that a crash left unfinished."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if _is_of_the_past(line, step, validated)]
    if len(kept) < len(lines):
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text("".join(kept), "utf-8")
        unfinished.replace(path)


def _is_of_the_past(line: str, step: int, validated: int) -> bool:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return False
    return entry["step"] <= (validated if "validation" in entry else step)
