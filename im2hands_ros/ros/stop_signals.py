"""SIGINT and SIGTERM end a process in order; its publishers have a moment for last messages."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

import rclpy

_LONGEST_FAREWELL = 0.3  # seconds; a process must end within two


class StopSignals:
    """From now on the first SIGINT or SIGTERM calls `farewell`, then ends rclpy's context.

    rclpy's own handlers end the context at once, and nothing can be published after that. Python's
    run between two lines of the main thread, which waits in C for messages or for a device: only
    what C writes into the wake-up socket arrives in time, and a thread of its own reads it.

    Attributes:
        interrupted: set before the context ends.
        farewell: called once, on another thread, while everything still works.
    """

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self.farewell: Callable[[], None] = nothing
        self._arrived, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        self._wakeup = wakeup  # to be kept: C knows it by its number alone
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="im2hands_signals", daemon=True).start()

    def _run(self) -> None:
        if not self._arrived.recv(1):
            return
        self.interrupted.set()
        # Whatever hangs must not keep the process from ending.
        last = threading.Thread(target=self.farewell, name="im2hands_farewell", daemon=True)
        last.start()
        last.join(_LONGEST_FAREWELL)
        rclpy.try_shutdown()


def nothing() -> None:
    """Without a node there is nothing to say."""
