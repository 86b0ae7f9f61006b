"""Many points through a network, some at once: fewer when the device has no memory for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")

SMALLEST = 64  # points; a device that has no room for these has none for anything
# Points of a hand evaluated at once, by kind of device: bounds the memory of a query and, on a CPU,
# keeps the layers in its cache.
SIZES = {"cpu": 4096, "cuda": 65536}

_log = logging.getLogger(__name__)


class Chunks:
    """How many points are evaluated at once: half of it from then on when memory runs out.

    Attributes:
        points: the size of a chunk now.
    """

    def __init__(self, points: int) -> None:
        self.points = points

    def over(self, count: int, evaluate: Callable[[slice], T]) -> list[T]:
        """Call ``evaluate`` for each slice of ``range(count)``; the results in order.

        Raises:
            torch.OutOfMemoryError: there is no memory for ``SMALLEST`` points either.
        """
        results: list[T] = []
        start = 0
        while start < count:
            part = slice(start, min(start + self.points, count))
            try:
                results.append(evaluate(part))
                start = part.stop
            except torch.OutOfMemoryError:
                if self.points <= SMALLEST:
                    raise
                self.points = max(self.points // 2, SMALLEST)
            if start < part.stop:  # here the exception has let go of what it held
                self._make_room()
        return results

    def _make_room(self) -> None:
        _log.warning("out of device memory: %d points at once from now on", self.points)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


@cache
def chunks_of(device: torch.device) -> Chunks:
    """Those of all models on this device, in this process."""
    return Chunks(SIZES[device.type])
