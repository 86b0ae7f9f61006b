"""The log of a training run: one JSON object a line."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

Scores = dict[str, float]


class RunLog:
    """Appends to ``log.jsonl`` in a run's folder."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._path = out / "log.jsonl"

    def step(self, step: int, losses: Scores, learning_rate: float) -> None:
        """Losses of one step; those that are not finite are null."""
        shown = {name: value if math.isfinite(value) else None for name, value in losses.items()}
        self._append({"step": step, **shown})

    def validation(self, step: int, scores: Scores) -> None:
        """Scores on the validation scenes."""
        self._append({"step": step, "validation": scores})

    def _append(self, entry: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **entry}) + "\n")
