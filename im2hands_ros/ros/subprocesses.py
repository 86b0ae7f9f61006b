"""ROS processes that a command starts: command line, environment, log, events, orderly end.

Ctrl-C reaches the command alone, which then ends its processes in order, once, however often it
is pressed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM)


class ChildExited(RuntimeError):
    """A process ended that had to keep running; the message holds the end of its log."""


class ChildProcess:
    """Runs ``command`` with its output in ``log``; JSON lines on its standard output become events.

    It gets a session of its own, so that a terminal's Ctrl-C does not reach it.
    """

    def __init__(self, name: str, command: list[str], log: Path) -> None:
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
            env=ros_environment(),
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()

    def _read_output(self) -> None:
        for line in self._process.stdout or ():
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

    def check_running(self) -> None:
        """Raise ChildExited when the process has ended: how, and the last lines of its log."""
        if self.status is None:
            return
        self._reader.join(1.0)
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        text = "".join(f"\n  | {line}" for line in lines) or " (its log is empty)"
        raise ChildExited(
            f"{self.name} ended with status {self.status}; the end of {self._log}:{text}"
        )

    def stop(self, timeout: float = 10.0) -> None:
        """SIGINT, SIGTERM after ``timeout`` seconds, then SIGKILL; returns when it is gone."""
        for number, seconds in ((signal.SIGINT, timeout), (signal.SIGTERM, 2.0)):
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
        self._reader.join(1.0)
        self._log_file.close()


def start_child(stack: ExitStack, name: str, command: list[str], log: Path) -> ChildProcess:
    """A process that ``stack`` will end, whenever Ctrl-C comes."""
    with _interrupts_deferred():
        child = ChildProcess(name, command, log)
        stack.callback(child.stop)
    return child


@contextmanager
def interrupted_once() -> Iterator[None]:
    """In the body SIGINT and SIGTERM raise KeyboardInterrupt; from then on both are ignored.

    A second KeyboardInterrupt would break the ending of the processes off and leave them behind.
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
def _interrupts_deferred() -> Iterator[None]:
    """Put SIGINT and SIGTERM off to the end of the body."""
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


def ros_module(name: str, parameters: Mapping[str, object] | None = None) -> list[str]:
    """The command that runs the module ``im2hands_ros.ros.<name>`` with these ROS parameters."""
    command = [sys.executable, "-m", "im2hands_ros.ros", name]
    return command if parameters is None else [*command, *parameter_arguments(parameters)]


def parameter_arguments(parameters: Mapping[str, object]) -> list[str]:
    """ROS parameters as the arguments of a program."""
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    return arguments


def ros_environment() -> dict[str, str]:
    """This process's environment, with ROS's traffic kept on this machine and to itself.

    Raises:
        FileNotFoundError: the package's Fast DDS profile is not installed.
    """
    profile = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE") or str(_dds_profile())
    return {
        **os.environ,
        "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID") or str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": profile,  # Fast DDS 2: Humble, Jazzy
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,  # Fast DDS 3: Kilted and later
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads sleep: the processes share the cores
        "GOMP_SPINCOUNT": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _dds_profile() -> Path:
    """The Fast DDS profile of this package, installed or in the source tree."""
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
    installed = [Path(prefix) / "share" / "im2hands_ros" / "config" for prefix in prefixes]
    for folder in (*installed, Path(__file__).resolve().parents[2] / "config"):
        if (folder / "fastdds_loopback.xml").is_file():
            return folder / "fastdds_loopback.xml"
    raise FileNotFoundError(
        "config/fastdds_loopback.xml is not installed: run `make build` or `colcon build`"
    )
