"""Records the node's inputs and outputs into an MCAP bag, in a process of its own.

Messages are taken off the wire serialised and written as they are, with the time of their arrival.
The recording ends on SIGINT or SIGTERM, or by itself ``--drain`` seconds after the publisher of
``image`` has gone and nothing more arrives. The bag is complete in every case.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rosbags.rosbag2 import WriterError
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from im2hands_ros.bags.writer import BagWriter
from im2hands_ros.messages.header import read_stamp
from im2hands_ros.msg import HandKeypoints, HandMeshArray

INPUTS = {"image": Image, "camera_info": CameraInfo, "keypoints": HandKeypoints}
OUTPUTS = {
    "markers": MarkerArray,
    "meshes": HandMeshArray,
    "occupancy": PointCloud2,
    "refined_keypoints": HandKeypoints,
    "left/wrist_pose": PoseStamped,
    "right/wrist_pose": PoseStamped,
}
DIAGNOSTICS = {"/diagnostics": DiagnosticArray}
TOPICS = INPUTS | OUTPUTS | DIAGNOSTICS
_ANNOUNCE_EVERY = 0.2  # seconds between two progress lines


@dataclass
class Progress:
    """What has arrived so far."""

    counts: Counter[str] = field(default_factory=Counter)
    latest_ns: dict[str, int] = field(default_factory=dict)
    latency_ms: float | None = None
    last_arrival: float = field(default_factory=time.monotonic)


class Recorder(Node):
    """Subscribes to all of ``INPUTS``, ``OUTPUTS`` and ``DIAGNOSTICS`` and writes it down."""

    def __init__(self, bag: BagWriter) -> None:
        super().__init__("recorder")
        self._bag = bag
        self.progress = Progress()
        self._recorded = {
            name: self._record(name, kind, reliable=name not in INPUTS)
            for name, kind in TOPICS.items()
        }

    def _record(self, name: str, kind: type, *, reliable: bool) -> Subscription:
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        topic = self.resolve_topic_name(name)
        package, message = kind.__module__.split(".")[0], kind.__name__
        self._bag.add_topic(topic, f"{package}/msg/{message}", reliable=reliable)
        return self.create_subscription(
            kind,
            name,
            partial(self._write, name, topic),
            QoSProfile(depth=10, reliability=reliability),
            raw=True,
        )

    def _write(self, name: str, topic: str, cdr: bytes) -> None:
        received_ns = time.time_ns()
        self._bag.write(topic, received_ns, cdr)
        seen = self.progress
        seen.counts[name] += 1
        seen.last_arrival = time.monotonic()
        if name in ("image", "meshes"):
            seen.latest_ns[name] = read_stamp(cdr)
        if name == "meshes":
            seen.latency_ms = (received_ns - seen.latest_ns[name]) / 1e6

    def publishers_of(self, *names: str) -> int:
        """The smallest number of publishers matched with any of the topics ``names``."""
        return min(self._recorded[name].get_publisher_count() for name in names)


class RecorderLoop:
    """Spins a recorder until it is stopped, or its input has ended and run dry."""

    def __init__(self, recorder: Recorder, drain: float, announce: bool) -> None:
        self._recorder = recorder
        self._drain = drain
        self._announces = announce
        self._announced_at = 0.0
        self._ready = False
        self.stopped = False

    def run(self) -> None:
        """Record; returns when the recording is over."""
        while not self.stopped and not self._input_has_ended():
            rclpy.spin_once(self._recorder, timeout_sec=0.1)
            self._announce()

    def _input_has_ended(self) -> bool:
        seen = self._recorder.progress
        if not self._drain or not seen.counts["image"] or self._recorder.publishers_of("image"):
            return False
        return time.monotonic() - seen.last_arrival > self._drain

    def _announce(self) -> None:
        if not self._announces or time.monotonic() - self._announced_at < _ANNOUNCE_EVERY:
            return
        self._announced_at = time.monotonic()
        self._ready = self._ready or self._recorder.publishers_of(*OUTPUTS, *DIAGNOSTICS) > 0
        seen = self._recorder.progress
        line = {
            "event": "recorded",
            "ready": self._ready,
            "counts": dict(seen.counts),
            "latest_ns": seen.latest_ns,
            "latency_ms": seen.latency_ms,
        }
        print(json.dumps(line), flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``recorder``."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="bag folder to write; must not exist",
    )
    parser.add_argument(
        "--drain",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="end so long after the last message, the image publisher gone; 0: only on a signal",
    )
    parser.add_argument(
        "--announce",
        action="store_true",
        help="print a JSON line of progress on standard output",
    )


def record(args: argparse.Namespace) -> Progress:
    """Record until the end; the bag is closed whatever happens."""
    bag = BagWriter(args.output)
    try:
        recorder = Recorder(bag)
        recording = RecorderLoop(recorder, args.drain, args.announce)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(recording, "stopped", True))
        recording.run()
        return recorder.progress
    finally:
        bag.close()


def main(args: list[str] | None = None) -> int:
    """Run the recorder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="recorder", description=__doc__.splitlines()[0])
    add_arguments(parser)
    options = parser.parse_args(rclpy.utilities.remove_ros_args(args or sys.argv)[1:])
    # Our own handlers: rclpy's would shut the context down with the bag still open.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        progress = record(options)
    except (OSError, ValueError, WriterError) as error:
        print(f"recorder: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(progress.counts.items()))
    print(f"recorder: wrote {counts or 'nothing'} to {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
