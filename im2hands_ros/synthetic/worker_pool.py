"""Worker processes of one thread each: more would compete with the other workers for the cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Any

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "IGL_NUM_THREADS")


@contextmanager
def worker_pool(
    count: int, initialise: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[Pool]:
    """A pool of spawned processes, each of which calls ``initialise(*arguments)`` first."""
    for name in _THREAD_COUNTS:
        os.environ.setdefault(name, "1")
    with get_context("spawn").Pool(count, _start, (initialise, arguments)) as pool:
        yield pool


def use_one_thread() -> None:
    """For a process that somebody else started."""
    import cv2
    import torch

    os.environ["IGL_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _start(initialise: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    use_one_thread()
    if initialise is not None:
        initialise(*arguments)
