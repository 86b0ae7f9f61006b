"""The one thread that owns the device. No ROS here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_IDLE_PERIOD = 0.25
_CANCEL_PERIOD = 0.1


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another; an unread older one is overwritten."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = self._nudged = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def put(self, item: T) -> bool:
        """Leave an item; True when it overwrote one that nobody had read."""
        with self._changed:
            overwritten = self._item is not None
            self._item = item
            self._changed.notify()
            return overwritten

    def take(self, timeout: float) -> T | None:
        """Wait up to `timeout` seconds for an item; None when none came or the box is closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._item is not None or self._closed or self._nudged, timeout
            )
            item, self._item, self._nudged = self._item, None, False
            return None if self._closed else item

    def nudge(self) -> None:
        """Wake the reader up without an item."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def close(self) -> None:
        """Wake the reader up for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker(Generic[S, T]):
    """Sets a model up, works on the newest item, lets go of the model: all on one thread.

    Args:
        set_up: makes the model.
        work: called as `work(model, item)` for the newest item.
        idle: called about every 0.25 s while nothing comes.
        on_error: called with an exception of `work`, `idle` or `spare`; the thread lives on.
        spare: called between items, for a moment of other work; True: call it again soon.
    """

    def __init__(
        self,
        set_up: Callable[[], S],
        work: Callable[[S, T], None],
        idle: Callable[[], None],
        on_error: Callable[[Exception], None],
        spare: Callable[[], bool] = lambda: False,
    ) -> None:
        self._set_up, self._work, self._idle = set_up, work, idle
        self._spare, self._on_error = spare, on_error
        self._mailbox: Mailbox[T] = Mailbox()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        # A daemon: a frame that hangs must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name="im2hands_worker", daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called: long work should end early."""
        return self._mailbox.closed

    def start(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Start the thread and wait until the model is there.

        Args:
            cancelled: called while waiting; True ends the wait.

        Raises:
            Exception: what `set_up` raised.
            InterruptedError: the wait was cancelled.
        """
        self._thread.start()
        while not self._ready.wait(_CANCEL_PERIOD):
            if cancelled():
                raise InterruptedError("cancelled while the model was loading")
        if self._failure is not None:
            raise self._failure

    def post(self, item: T) -> bool:
        """Give the worker its next item; True when an older unread one was overwritten."""
        return self._mailbox.put(item)

    def nudge(self) -> None:
        """There is something to do in spare time."""
        self._mailbox.nudge()

    def stop(self, timeout: float) -> bool:
        """Let the thread end and wait for it, seconds; whether it has ended."""
        self._mailbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            model = self._set_up()
        except Exception as error:  # noqa: BLE001 - handed to whoever called start
            self._failure = error
            return
        finally:
            self._ready.set()
        more = False
        while not self.stopping:
            item = self._mailbox.take(0 if more else _IDLE_PERIOD)
            if not self.stopping:
                more = self._handle(model, item)

    def _handle(self, model: S, item: T | None) -> bool:
        """Work on an item or idle, then on other things; whether those need more time."""
        try:
            if item is None:
                self._idle()
            else:
                self._work(model, item)
            return self._spare()
        except Exception as error:  # noqa: BLE001 - one bad frame must not end the thread
            if not self.stopping:  # publishers go away while the process ends
                self._on_error(error)
            return False
