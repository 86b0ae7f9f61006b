"""Milliseconds per named stage, of one frame or of many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Stopwatch:
    """Adds up stage times.

    Args:
        device: waited for at each stage's end where it works on its own, or times mean nothing.

    Attributes:
        milliseconds: total by stage, in the order in which they were first seen.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device
        self._counts: Counter[str] = Counter()
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage ``name``."""
        start = time.perf_counter()
        yield
        if self._device is not None and self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
        self.add(name, 1e3 * (time.perf_counter() - start))

    def add(self, name: str, milliseconds: float) -> None:
        """Add a time that was taken elsewhere."""
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + milliseconds
        self._counts[name] += 1

    def means(self) -> dict[str, float]:
        """Milliseconds by stage: its total over how often it was added."""
        return {name: total / self._counts[name] for name, total in self.milliseconds.items()}


def median_and_p95(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median and 95th percentile, rounded, of all that are not NaN; empty without values."""
    if not len(values):
        return {}
    median, p95 = np.nanpercentile(values, (50, 95)).tolist()
    return {"median": round(median, digits), "p95": round(p95, digits)}
