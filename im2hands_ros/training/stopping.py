"""Ctrl-C and SIGTERM during training: finish the step, save, stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether a stop was requested while the ``with`` block runs.

    Attributes:
        signal: the first signal received, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at_once = False

    def __enter__(self) -> StopRequest:
        self._before = {}
        # Only the main thread may; another one is not what signals are for.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block that a signal ends where it is, without an error."""
        self._at_once = True
        try:
            yield
        except _Interrupted:
            pass
        finally:
            self._at_once = False

    def _receive(self, number: int, _: FrameType | None) -> None:
        # torchrun passes on what the terminal has sent already: a second one means no hurry.
        self.signal = self.signal or number
        if self._at_once:
            self._at_once = False
            raise _Interrupted


class _Interrupted(BaseException):
    """Ends a block that may end anywhere."""
