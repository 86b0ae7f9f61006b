"""Milliseconds per named stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Collects stage times; waits for the device at each stage's end, or they mean nothing."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage ``name``."""
        start = time.perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elapsed = 1e3 * (time.perf_counter() - start)
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + elapsed
