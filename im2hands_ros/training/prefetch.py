"""Batches prepared ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")


def prefetch(draw: Callable[[int], T], first: int, last: int) -> Generator[T]:
    """``draw(step)`` of steps first to last - 1, prepared one ahead in a thread."""
    ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def put(item: T | BaseException) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def prepare() -> None:
        try:
            for step in range(first, last):
                if stopped.is_set():
                    return
                put(draw(step))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer below
            put(error)

    worker = threading.Thread(target=prepare, name="batches", daemon=True)
    worker.start()
    try:
        for _ in range(first, last):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join()
