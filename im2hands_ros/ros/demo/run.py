"""The demo's three processes (recorder, node, replay), from start to the last frame's meshes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from im2hands_ros.ros.demo.commands import commands
from im2hands_ros.ros.subprocesses import ChildProcess, start_child
from im2hands_ros.ros.topics import OUTPUTS

_POLL = 0.05  # seconds
_QUIET = 3.0  # seconds without a new mesh after which the last frames count as dropped
_SHOW_EVERY = 0.5  # seconds; logs without a terminal keep every line
_WAITING = "{desc} {elapsed}"
_RESULTS = {*OUTPUTS, "/diagnostics"}
_LAST_DIAGNOSTICS = 1.5  # seconds for one more diagnostics message, which come every second


class DemoFailed(RuntimeError):
    """The demo cannot go on; the message is for the user."""


@dataclass
class Played:
    """What the processes have reported so far.

    Attributes:
        frames: length of the sequence; 0 until the first frame is about to be sent.
        sent: stamp (ns) -> number of the frame sent with it.
        counts: messages recorded, by topic.
        latest_ns: stamp of the newest recorded message, for ``image`` and ``meshes``.
        latency_ms: age of the newest meshes when they were recorded.
        ready: the recorder has found the publishers of all results.
        finished: the whole sequence has been sent.
    """

    frames: int = 0
    sent: dict[int, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    latest_ns: dict[str, int] = field(default_factory=dict)
    latency_ms: float | None = None
    ready: bool = False
    finished: bool = False

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event of replay or recorder."""
        kind = event["event"]
        if kind == "started":
            self.frames = event["frames"]
        elif kind == "frame":
            self.sent[event["stamp_ns"]] = event["frame"]
        elif kind == "finished":
            self.finished = True
        elif kind == "recorded":
            self.counts, self.latest_ns = event["counts"], event["latest_ns"]
            self.ready = self.ready or set(event["matched"]) >= _RESULTS
            self.latency_ms = event["latency_ms"]

    @property
    def last_is_answered(self) -> bool:
        """Whether the last frame's meshes have been recorded."""
        return self.latest_ns.get("meshes", 0) >= max(self.sent, default=0)


class DemoRun:
    """Starts the processes, follows them and ends them.

    Args:
        args: options as ``demo.add_arguments`` declares them.
        replaced: process name -> command to run in place of the usual one.
    """

    def __init__(self, args: argparse.Namespace, replaced: dict[str, list[str]]) -> None:
        self._args = args
        self._logs: Path = args.out / "log"
        self._commands = commands(args) | replaced
        self._children: dict[str, ChildProcess] = {}
        self._played = Played()
        self._bar = tqdm(unit="frame", dynamic_ncols=True, bar_format=_WAITING)
        self._shown_at = 0.0

    def play(self) -> dict[int, int]:
        """Play the whole sequence; every process has ended when this returns or raises.

        Returns:
            stamp (ns) -> number of the frame sent with it.

        Raises:
            ChildExited: a process ended too early.
            DemoFailed: nothing happened for longer than the time-outs allow.
        """
        played, timeout = self._played, self._args.start_timeout
        # Last in, first out: the recorder ends last and misses nothing of the others.
        with ExitStack() as stack:
            stack.callback(self._bar.close)
            self._start("recorder", stack)
            self._start("node", stack)
            self._wait(lambda: played.ready, timeout, "loading the model")
            self._start("replay", stack)
            self._wait(lambda: played.frames > 0, timeout, "waiting for the active node")
            self._follow_frames()
            self._drain()
            self._show()
        return played.sent

    def _start(self, name: str, stack: ExitStack) -> None:
        log = self._logs / f"{name}.log"
        self._children[name] = start_child(stack, name, self._commands[name], log)

    def _wait(self, condition: Callable[[], bool], timeout: float, doing: str) -> None:
        self._bar.set_description(doing)
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise DemoFailed(f"{doing} took more than {timeout:g} s; see {self._logs}")
            self._update()

    def _follow_frames(self) -> None:
        self._bar.set_description("playing", refresh=False)
        timeout = self._args.stall_timeout
        seen, since = -1, time.monotonic()
        while not self._played.finished:
            self._update()
            if len(self._played.sent) != seen:
                seen, since = len(self._played.sent), time.monotonic()
            elif time.monotonic() - since > timeout:
                raise DemoFailed(f"no frame came for {timeout:g} s; see {self._logs}")

    def _drain(self) -> None:
        """Wait for the last frame's meshes, or until no more come, and for the last diagnostics."""
        self._bar.set_description("finishing")
        meshes, since = -1, time.monotonic()
        while not self._played.last_is_answered and time.monotonic() - since < _QUIET:
            self._update()
            if self._played.counts.get("meshes", 0) != meshes:
                meshes, since = self._played.counts.get("meshes", 0), time.monotonic()
        until = time.monotonic() + _LAST_DIAGNOSTICS
        while time.monotonic() < until:
            self._update()

    def _update(self) -> None:
        """Take in what the processes report, show it, and check that they run."""
        time.sleep(_POLL)
        for child in self._children.values():
            for event in child.events():
                self._played.take(event)
        for name, child in self._children.items():
            if name != "replay" or child.status not in (None, 0):
                child.check_running()
        self._show()

    def _show(self) -> None:
        played, bar = self._played, self._bar
        if time.monotonic() - self._shown_at < _SHOW_EVERY:
            return
        self._shown_at = time.monotonic()
        if played.frames:
            bar.bar_format = None
            latency = "" if played.latency_ms is None else f", latency {played.latency_ms:.0f} ms"
            bar.set_postfix_str(f"meshes {played.counts.get('meshes', 0)}{latency}", refresh=False)
            bar.total = played.frames
        bar.update(len(played.sent) - bar.n)
        bar.refresh()
