"""Counters and timings of a node, and what they amount to. No ROS here."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

_WINDOW = 120  # frames over which medians and 95th percentiles run


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment.

    Attributes:
        time: monotonic seconds.
        received: messages by topic.
        published: frames published.
        dropped: frames and messages dropped, by reason.
        suspect: frames published although something is unlikely, by kind.
        stages_ms: stage -> (median, 95th percentile) of the last frames, milliseconds.
    """

    time: float
    received: dict[str, int] = field(default_factory=dict)
    published: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    suspect: dict[str, int] = field(default_factory=dict)
    stages_ms: dict[str, tuple[float, float]] = field(default_factory=dict)


class Health:
    """Counts what comes, goes and is dropped, and how long each stage takes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._suspect: Counter[str] = Counter()
        self._published = 0
        self._stages: dict[str, deque[float]] = {}

    def receive(self, topic: str) -> None:
        """Count a message of an input topic."""
        with self._lock:
            self._received[topic] += 1

    def publish(self) -> None:
        """Count a published frame."""
        with self._lock:
            self._published += 1

    def drop(self, reason: str) -> None:
        """Count something that leads to no output."""
        with self._lock:
            self._dropped[reason] += 1

    def suspect(self, kind: str) -> None:
        """Count a frame that is published although something about it is unlikely."""
        with self._lock:
            self._suspect[kind] += 1

    def took(self, stage: str, milliseconds: float) -> None:
        """Note how long a stage took."""
        with self._lock:
            self._stages.setdefault(stage, deque(maxlen=_WINDOW)).append(milliseconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body as a stage; a body that raises is not counted."""
        start = time.perf_counter()
        yield
        self.took(name, (time.perf_counter() - start) * 1e3)

    def snapshot(self) -> Snapshot:
        """The counters now."""
        with self._lock:
            stages = {name: np.array(values) for name, values in self._stages.items()}
            received, dropped = dict(self._received), dict(self._dropped)
            suspect = dict(self._suspect)
            published = self._published
        medians = {
            name: (float(np.median(values)), float(np.percentile(values, 95)))
            for name, values in stages.items()
        }
        return Snapshot(time.monotonic(), received, published, dropped, suspect, medians)


class Throttle:
    """Lets one message of each kind through per period and counts the others. Thread-safe.

    rclpy's own throttle goes by the line of the call: all kinds would share one.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._held: Counter[str] = Counter()

    def pass_on(self, kind: str, text: str) -> str | None:
        """The text, with a note on how many were held back before it; None to keep quiet."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(kind, -self._period) < self._period:
                self._held[kind] += 1
                return None
            self._last[kind] = now
            held = self._held.pop(kind, 0)
        return f"{text} ({held} more like this since the last line)" if held else text


# Reports without a message until an input counts as silent, and until a warning says so: at the
# start publishers take their time.
_SILENT, _WARNED = 1, 3

# Drops that are in the nature of a live stream; all others mean that somebody has to act.
_ORDINARY = {
    "nobody_subscribed",
    "image_skipped",
    "keypoints_skipped",
    "overwritten",
    "image_clock_jump",
    "keypoints_clock_jump",
    "image_keypoints_refused",  # the refusal counts
}

_FAILURES = {"pipeline_error", "camera_lost"}


def diagnostic_values(now: Snapshot, before: Snapshot) -> dict[str, str]:
    """Counters, rates and stage times as the text pairs of a DiagnosticStatus."""
    elapsed = max(now.time - before.time, 1e-3)
    values = {}
    for topic, count in sorted(now.received.items()):
        values[f"received.{topic}"] = str(count)
        values[f"received.{topic}.hz"] = f"{(count - before.received.get(topic, 0)) / elapsed:.1f}"
    values["published"] = str(now.published)
    values["published.hz"] = f"{(now.published - before.published) / elapsed:.1f}"
    for reason, count in sorted(now.dropped.items()):
        values[f"dropped.{reason}"] = str(count)
    for kind, count in sorted(now.suspect.items()):
        values[f"suspect.{kind}"] = str(count)
    for stage, (median, p95) in now.stages_ms.items():
        values[f"stage.{stage}.median_ms"] = f"{median:.2f}"
        values[f"stage.{stage}.p95_ms"] = f"{p95:.2f}"
    return values


def verdict(now: Snapshot, before: Snapshot, silent: list[str]) -> tuple[int, str]:
    """Level (0 OK, 1 WARN, 2 ERROR) and one line on the time between two snapshots.

    Args:
        now, before: the two snapshots.
        silent: topics from which nothing comes although something should.
    """
    fresh = _increases(now.dropped, before.dropped)
    dropped = f"dropped: {_counts(fresh)}"
    if _FAILURES & fresh.keys():
        return 2, dropped
    if silent:
        return 1, f"nothing comes on {', '.join(silent)}"
    if fresh:
        return 1, dropped
    unlikely = _increases(now.suspect, before.suspect)
    return (1, f"suspect: {_counts(unlikely)}") if unlikely else (0, "fine")


def _increases(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    more = {reason: count - before.get(reason, 0) for reason, count in now.items()}
    return {reason: count for reason, count in more.items() if count and reason not in _ORDINARY}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}x" for reason, count in sorted(counts.items()))


class SilentInputs:
    """Notices expected inputs from which nothing comes; call `update` once a report."""

    def __init__(self) -> None:
        self._reports: Counter[str] = Counter()  # since the last message, by input

    def update(
        self, now: Snapshot, before: Snapshot, expected: dict[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        """Compare two snapshots.

        Args:
            now, before: this report's snapshot and the last one's.
            expected: the inputs that should come now, name -> full topic name.

        Returns:
            full names of the silent topics, and input -> topic of those to be warned of.
        """
        reports: Counter[str] = Counter()
        for name in expected:
            count = now.received.get(name, 0)
            # A camera_info may come once and hold for ever.
            fresh = count if name == "camera_info" else count - before.received.get(name, 0)
            reports[name] = 0 if fresh else self._reports[name] + 1
        self._reports = reports
        silent = [topic for name, topic in expected.items() if reports[name] >= _SILENT]
        return silent, {name: expected[name] for name in reports if reports[name] >= _WARNED}
