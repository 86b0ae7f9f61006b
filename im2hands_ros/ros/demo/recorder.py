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
from functools import partial
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rosbags.rosbag2 import WriterError

from im2hands_ros.bags.writer import BagWriter
from im2hands_ros.messages.header import read_stamp
from im2hands_ros.ros.topics import INPUTS, OUTPUTS

TOPICS = INPUTS | OUTPUTS | {"/diagnostics": DiagnosticArray}
_ANNOUNCE_EVERY = 0.2  # seconds between two progress lines
_DEPTH = 10  # messages that each topic's queue holds


class Recorder(Node):
    """Subscribes to all of ``TOPICS`` and writes what comes.

    Args:
        bag: what to write to.
        drain, announce: as the options of these names.

    Attributes:
        counts: messages written, by topic.
        stopped: set it, and `run` returns.
    """

    def __init__(self, bag: BagWriter, drain: float, announce: bool) -> None:
        super().__init__("recorder")
        self._bag, self._drain, self._announces = bag, drain, announce
        self.counts: Counter[str] = Counter()
        self.stopped = False
        self._latest_ns: dict[str, int] = {}
        self._latency_ms: float | None = None
        self._last_arrival, self._announced_at = time.monotonic(), 0.0
        self._recorded = {name: self._record(name, kind) for name, kind in TOPICS.items()}

    def _record(self, name: str, kind: type) -> Subscription:
        reliable = name not in INPUTS
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        topic = self.resolve_topic_name(name)
        package, message = kind.__module__.split(".")[0], kind.__name__
        self._bag.add_topic(topic, f"{package}/msg/{message}", reliable=reliable)
        qos = QoSProfile(depth=_DEPTH, reliability=reliability)
        return self.create_subscription(
            kind, name, partial(self._write, name, topic), qos, raw=True
        )

    def _write(self, name: str, topic: str, cdr: bytes) -> None:
        received_ns = time.time_ns()
        self._bag.write(topic, received_ns, cdr)
        self.counts[name] += 1
        self._last_arrival = time.monotonic()
        if name in ("image", "meshes"):
            self._latest_ns[name] = read_stamp(cdr)
        if name == "meshes":
            self._latency_ms = (received_ns - self._latest_ns[name]) / 1e6

    def run(self) -> None:
        """Record until stopped, or until the input has ended and run dry."""
        while not self.stopped and not self._input_has_ended():
            rclpy.spin_once(self, timeout_sec=0.1)
            self._announce()
        self._take_what_has_arrived()

    def _take_what_has_arrived(self) -> None:
        """Write what was received before the end, but not yet taken off its queue."""
        for _ in range(len(TOPICS) * _DEPTH):
            rclpy.spin_once(self, timeout_sec=0.0)

    def _input_has_ended(self) -> bool:
        if not self._drain or not self.counts["image"] or "image" in self._matched():
            return False
        return time.monotonic() - self._last_arrival > self._drain

    def _matched(self) -> list[str]:
        """Names of the topics of which a publisher has been found."""
        return [name for name, each in self._recorded.items() if each.get_publisher_count()]

    def _announce(self) -> None:
        if not self._announces or time.monotonic() - self._announced_at < _ANNOUNCE_EVERY:
            return
        self._announced_at = time.monotonic()
        line = {
            "event": "recorded",
            "matched": self._matched(),
            "counts": dict(self.counts),
            "latest_ns": self._latest_ns,
            "latency_ms": self._latency_ms,
        }
        print(json.dumps(line), flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``recorder``."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="bag folder to write; must not exist"
    )
    parser.add_argument(
        "--drain",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="end so long after the last message, the image publisher gone; 0: only on a signal",
    )
    parser.add_argument(
        "--announce", action="store_true", help="print a JSON line of progress on standard output"
    )


def record(args: argparse.Namespace) -> Counter[str]:
    """Record until the end; the bag is closed whatever happens. Returns messages by topic."""
    bag = BagWriter(args.output)
    try:
        recorder = Recorder(bag, args.drain, args.announce)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(recorder, "stopped", True))
        recorder.run()
        return recorder.counts
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
        counts = sorted(record(options).items())
    except (OSError, ValueError, WriterError) as error:
        print(f"recorder: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    written = ", ".join(f"{count} {name}" for name, count in counts)
    print(f"recorder: wrote {written or 'nothing'} to {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
