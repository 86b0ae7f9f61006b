"""The node under a steady stream: nothing is lost, and memory does not grow.

    python test/ros/soak.py [--minutes 10] [--rate 30] [--networks] [--out FILE.json]

640x480 images at the rate, 30 a second if not said otherwise, reliable and with room to wait, into
the node with the small exact model (`--networks`: with the packaged ones). Every image must be
found in a counter: answered, or overwritten by a newer one. Prints the counts and the slope of the
process's memory; exit status 1 when an image is lost, when memory grows by more than 1 MiB an
hour beyond what the measurement can tell, or when diagnostics miss a beat.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 640, 480
_SETTLING = 0.25  # share of the run after which memory is looked at
_SAMPLES = 60


@dataclass
class Result:
    """What a soak found.

    Attributes:
        sent, received, answered, overwritten: images. lost: sent but found in no counter.
        beats, expected_beats: diagnostics that came, and seconds that passed.
        times, memory_mib: of the node's process, from the settling on.
        latency_ms: (median, 95th percentile) from stamp to publishing, of the last frames.
    """

    sent: int = 0
    received: int = 0
    answered: int = 0
    overwritten: int = 0
    other: dict[str, int] = field(default_factory=dict)
    beats: int = 0
    expected_beats: int = 0
    times: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    latency_ms: tuple[float, float] = (0.0, 0.0)

    @property
    def lost(self) -> int:
        """Images that were sent but are in no counter."""
        return self.sent - self.answered - self.overwritten - sum(self.other.values())

    @property
    def slope(self) -> tuple[float, float]:
        """Growth of memory and its standard error, MiB an hour."""
        hours = np.array(self.times) / 3600
        (growth, _), covariance = np.polyfit(hours, self.memory_mib, 1, cov=True)
        return float(growth), float(np.sqrt(covariance[0, 0]))

    @property
    def passed(self) -> bool:
        """Nothing lost, no growth beyond what can be told, no beat of diagnostics missed."""
        growth, error = self.slope
        grows = growth > 1 + 2 * error
        return not (self.lost or grows or self.beats < self.expected_beats - 1)

    def as_dict(self) -> dict[str, object]:
        """For a JSON file; memory as its first, last and largest sample and its slope."""
        growth, error = self.slope
        memory = np.array(self.memory_mib)
        return {
            "sent": self.sent,
            "received": self.received,
            "answered": self.answered,
            "overwritten": self.overwritten,
            "other_drops": self.other,
            "lost": self.lost,
            "diagnostics": {"came": self.beats, "expected": self.expected_beats},
            "latency_ms": {"median": self.latency_ms[0], "p95": self.latency_ms[1]},
            "memory_mib": {
                "first": round(float(memory[0]), 2),
                "last": round(float(memory[-1]), 2),
                "largest": round(float(memory.max()), 2),
                "growth_per_hour": round(growth, 2),
                "growth_error": round(error, 2),
            },
            "passed": self.passed,
        }

    def __str__(self) -> str:
        growth, error = self.slope
        median, p95 = self.latency_ms
        other = "".join(f"{count} {reason}, " for reason, count in self.other.items())
        return (
            f"{self.sent} images: {self.answered} answered, {self.overwritten} overwritten by "
            f"newer ones, {other}{self.lost} lost; latency {median:.0f} ms (95 %: {p95:.0f}); "
            f"{self.beats} diagnostics in {self.expected_beats} s; memory "
            f"{self.memory_mib[-1]:.1f} MiB, "
            f"{growth:+.1f} ± {error:.1f} MiB an hour"
        )


def soak(process: object, client: object, seconds: float, rate: float) -> Result:
    """Send images for so long, count what becomes of them."""
    from harness import keypoints

    result = Result()
    picture = _picture()
    info = _calibration()
    started, next_sample = time.monotonic(), _SETTLING * seconds
    client.diagnostics()
    beats = client.beats
    began = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        if elapsed * rate >= result.sent:
            stamp = _now(client)
            for message in (info, picture):
                message.header.stamp = stamp
            points = keypoints(1.0)
            points.header.stamp = stamp
            client.send(info, picture, points)
            result.sent += 1
        if elapsed >= next_sample:
            next_sample += (1 - _SETTLING) * seconds / _SAMPLES
            result.times.append(elapsed)
            result.memory_mib.append(process.memory_mib)
        client.forget()
        client.spin(0.003)
    client.wait_until(lambda: client.count("received.image") >= result.sent, "every image")
    result.beats = client.beats - beats
    result.expected_beats = int(time.monotonic() - began)
    _read(result, client)
    return result


def _read(result: Result, client: object) -> None:
    """Wait for the last frame, then take the counters."""
    client.spin(1.0)
    values = client.diagnostics()
    result.received = int(values["received.image"])
    result.answered = int(values["published"])
    drops = {
        name.removeprefix("dropped."): int(value)
        for name, value in values.items()
        if name.startswith("dropped.") and not name.startswith("dropped.keypoints")
    }
    result.overwritten = drops.pop("overwritten", 0)
    result.other = drops
    result.latency_ms = (
        float(values["stage.latency.median_ms"]),
        float(values["stage.latency.p95_ms"]),
    )


def _picture() -> object:
    from harness import header
    from reference_messages import image_message

    pixels = np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH, 3), np.uint8)
    return image_message(header(1.0), pixels)


def _calibration() -> object:
    from harness import camera_info

    info = camera_info(1.0)
    info.width, info.height = WIDTH, HEIGHT
    info.k = [600.0, 0.0, 319.5, 0.0, 600.0, 239.5, 0.0, 0.0, 1.0]
    return info


def _now(client: object) -> object:
    return client.node.get_clock().now().to_msg()


def run(seconds: float, rate: float, networks: bool, folder: Path) -> Result:
    """Start the node and soak it; rclpy must be initialised."""
    from harness import ANALYTIC_NODE, LOSSLESS, LOSSLESS_INPUTS, REAL_NODE, Client, NodeProcess

    command = REAL_NODE if networks else [ANALYTIC_NODE, "--delay", "0.01"]
    process = NodeProcess(command, LOSSLESS_INPUTS, folder / "soak.txt")
    client = Client(process.namespace, qos=LOSSLESS)
    try:
        client.wait_for_node(120.0)
        return soak(process, client, seconds, rate)
    finally:
        client.close()
        process.stop()


def main() -> int:
    """The nightly run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=30.0, help="images a second")
    parser.add_argument("--networks", action="store_true", help="the packaged networks")
    parser.add_argument("--out", type=Path, help=".json file to write")
    arguments = parser.parse_args()
    import rclpy

    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ROS_LOG_DIR"] = folder
        result = run(60 * arguments.minutes, arguments.rate, arguments.networks, Path(folder))
    rclpy.try_shutdown()
    print(result)
    if arguments.out:
        write(arguments, result)
    return int(not result.passed)


def write(arguments: argparse.Namespace, result: Result) -> None:
    """What was run, where, and what came of it."""
    from im2hands_ros.provenance import describe

    report = {
        "machine": describe("cpu"),
        "minutes": arguments.minutes,
        "rate": arguments.rate,
        "image": [WIDTH, HEIGHT],
        "model": "packaged networks" if arguments.networks else "analytic, 10 ms a frame",
        **result.as_dict(),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
