"""What replaying a bag and tracking a video share: an end in order, and warnings said once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Once:
    """Passes on the first text of each kind.

    Args:
        warn: called with it.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._kinds: set[str] = set()

    def __call__(self, kind: str, text: str) -> None:
        if kind not in self._kinds:
            self._kinds.add(kind)
            self._warn(text)


class Interruptible(Protocol):
    """Work that checks `interrupted` between two frames."""

    interrupted: bool


@contextmanager
def stop_on_signal(work: Interruptible) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends after the frame at work; a second one at once."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _: FrameType | None) -> None:
        work.interrupted = True
        signal.signal(number, before[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
