"""Ctrl-C while children run: it ends the program once, in order, however often it is pressed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupted_once() -> Iterator[None]:
    """In the body SIGINT and SIGTERM raise KeyboardInterrupt; from then on both are ignored.

    A second KeyboardInterrupt would break the ending of the children off and leave them behind.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        if not interrupted:
            _restore(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put SIGINT and SIGTERM off to the end of the body: while a child is started."""
    held: list[int] = []
    before = {number: signal.signal(number, lambda n, _: held.append(n)) for number in _ENDING}
    try:
        yield
    finally:
        _restore(before)
    if held:
        signal.raise_signal(held[0])


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
