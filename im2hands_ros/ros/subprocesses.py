"""A process that the demo starts: its log, the progress lines it prints, and its orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import Any


class ChildDied(RuntimeError):
    """A process ended that had to keep running; the message holds its last words."""


class Child:
    """Runs ``command`` with its output in ``log``; JSON lines on its standard output become events.

    It gets a session of its own, so that Ctrl-C in a terminal reaches the demo alone, which then
    ends its children in order.
    """

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str]) -> None:
        self.name = name
        self._log = log
        self._events: deque[dict[str, Any]] = deque()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_file = log.open("w", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log_file,
            env=env,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event:
                self._events.append(event)
            else:
                self._log_file.write(line)
                self._log_file.flush()

    def events(self) -> list[dict[str, Any]]:
        """The events since the last call, oldest first."""
        return [self._events.popleft() for _ in range(len(self._events))]

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    def check_alive(self) -> None:
        """Raise ChildDied when the process has ended."""
        if self.status is not None:
            raise ChildDied(self.obituary())

    def obituary(self, lines: int = 8) -> str:
        """How it ended and the last lines of its log."""
        self._listener.join(1.0)
        tail = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        words = "".join(f"\n  | {line}" for line in tail) or " (its log is empty)"
        return f"{self.name} ended with status {self.status}; the end of {self._log}:{words}"

    def stop(self, patience: float = 10.0) -> None:
        """SIGINT, SIGTERM after ``patience`` seconds, then SIGKILL; returns when it is gone."""
        for number, seconds in ((signal.SIGINT, patience), (signal.SIGTERM, 2.0)):
            if self.status is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        if self.status is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._listener.join(1.0)
        self._log_file.close()
