"""The node's health on /diagnostics, once a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from im2hands_ros.ros.diagnostics import Health, Snapshot, diagnostic_values, verdict
from im2hands_ros.ros.endpoints import OVERRIDING, RESULTS

_PERIOD = 1.0
# Reports without a message until an input counts as silent, and until the log says so: at the start
# publishers take their time.
_SILENCE, _COMPLAINT = 1, 3


class Reporter:
    """Publishes rates, drops by reason and milliseconds by stage; notices inputs that fell silent.

    Args:
        node: owns the publisher and the timer.
        health: what is reported.
        awaited: the inputs that should come now, name -> full topic name.
        complain: called as `complain(kind, text)` about a silent input.
        describe: further values to report.
        notice: what else to say; "" for nothing.
    """

    def __init__(
        self,
        node: Node,
        health: Health,
        awaited: Callable[[], dict[str, str]],
        complain: Callable[[str, str], None],
        describe: Callable[[], dict[str, str]],
        notice: Callable[[], str],
    ) -> None:
        self._node, self._health = node, health
        self._awaited, self._complain = awaited, complain
        self._describe, self._notice = describe, notice
        self._before = health.snapshot()
        self._quiet: Counter[str] = Counter()
        self._publisher = node.create_publisher(
            DiagnosticArray, "/diagnostics", copy(RESULTS), qos_overriding_options=OVERRIDING
        )
        # Wall time: diagnostics go on while a simulation is paused.
        node.create_timer(_PERIOD, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _report(self) -> None:
        now, before = self._health.snapshot(), self._before
        self._before = now
        level, text = verdict(now, before, self._silent(now, before))
        text = "; ".join(filter(None, (text, self._notice())))
        values = self._describe() | diagnostic_values(now, before)
        name = self._node.get_fully_qualified_name().lstrip("/")
        stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(diagnostic_array(name, stamp, level, text, values))

    def _silent(self, now: Snapshot, before: Snapshot) -> list[str]:
        """Full names of the awaited inputs from which nothing comes."""
        awaited, silent = self._awaited(), []
        self._quiet = Counter({name: self._quiet[name] for name in awaited})
        for name, topic in awaited.items():
            count = now.received.get(name, 0)
            # A camera_info may come once and hold for ever.
            heard = count if name == "camera_info" else count - before.received.get(name, 0)
            self._quiet[name] = 0 if heard else self._quiet[name] + 1
            if self._quiet[name] >= _SILENCE:
                silent.append(topic)
            if self._quiet[name] >= _COMPLAINT:
                text = f"{topic}: nothing comes: is its publisher running?"
                self._complain(f"silent_{name}", text)
        return silent


def diagnostic_array(
    name: str, stamp: Time, level: int, text: str, values: dict[str, str]
) -> DiagnosticArray:
    """One status as a DiagnosticArray."""
    status = DiagnosticStatus(level=bytes([level]), name=name, message=text, hardware_id=name)
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
