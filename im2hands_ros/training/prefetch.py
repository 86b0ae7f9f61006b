"""Batches prepared ahead in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 3


def prefetch(draw: Callable[[int], T], first: int, last: int) -> Generator[T]:
    """``draw(step)`` of steps first to last - 1, the next ones prepared in a thread meanwhile."""
    pool = ThreadPoolExecutor(1, "batches")
    steps = iter(range(first, last))
    try:
        waiting = deque(pool.submit(draw, step) for step in islice(steps, _AHEAD))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(draw, step) for step in islice(steps, 1))
    finally:
        pool.shutdown(cancel_futures=True)
