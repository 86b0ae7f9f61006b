"""Processes that begin where Python has imported what every node imports.

    python forked_nodes.py        the server: a request per line, its answer per line

To import torch and rclpy costs a process two seconds. The server imports them once; a node is then
a fork of it, which runs the script as its main program, ends as any process does, and has its own
arguments, environment and output.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class ForkedProcess:
    """As `subprocess.Popen` of Python with these arguments; its output goes to a file."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        request = {"start": list(arguments), "log": str(log), "environment": environment}
        self._server, self._status = _server(), None
        self.pid: int = self._server.answer(request)

    def poll(self) -> int | None:
        """The exit status, the negative number of the signal that ended it, or None."""
        if self._status is None:
            self._status = self._server.answer({"poll": self.pid})
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """The exit status once it has ended; raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked node", timeout or 0.0)
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing happens to a process that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Server:
    """The other end of the server's pipes. Thread-safe."""

    def __init__(self) -> None:
        paths = (str(ROOT), os.environ.get("PYTHONPATH", ""))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            text=True,
        )
        self._lock = threading.Lock()
        atexit.register(self._end)

    def answer(self, request: dict[str, Any]) -> Any:
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, f"the server of forked nodes ended: {self._process.wait()}"
        return json.loads(line)

    def _end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()


def _serve() -> dict[str, Any]:
    """Answers requests; returns, in a new process, what that is to run."""
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "poll" in request:
            ended, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                return request
        print(json.dumps(answer), flush=True)
    sys.exit()


def _become(request: dict[str, Any]) -> None:
    """Run a script in this process as a fresh one would."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(request["log"], os.O_WRONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    sys.argv = request["start"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, which end this
    import im2hands_ros.ros.node  # noqa: F401

    _become(_serve())
