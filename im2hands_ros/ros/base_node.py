"""What all nodes share: parameters of a schema, health, throttled log lines, diagnostics."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import Field, fields
from functools import partial
from typing import Any, Generic

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy import ok
from rclpy import time as ros_time
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from im2hands_ros.parameter_schema import S
from im2hands_ros.ros.diagnostics import (
    Health,
    SilentInputs,
    Throttle,
    diagnostic_values,
    verdict,
)
from im2hands_ros.ros.qos import OVERRIDING, RESULTS
from im2hands_ros.ros.silence import why_silent

_LOG_PERIOD = 5.0  # seconds between two lines of one kind
_REPORT_PERIOD = 1.0
_ALIKE = 0.8  # of names, by difflib
_LONGEST_LATENCY = 60.0  # seconds; an older stamp is of another clock


def declare_parameters(node: Node, kind: type[S]) -> S:
    """Declare every parameter of `kind` on a node; the values that overrides gave.

    Raises:
        ValueError: a value of another type, or outside its choices.
        rclpy.exceptions.ParameterException: an override outside its range.
    """
    values = {each.name: _declared(node, each) for each in fields(kind)}
    _warn_of_misspelt(node)
    return kind(**values)


def _declared(node: Node, each: Field) -> Any:
    try:
        return node.declare_parameter(each.name, each.default, _descriptor(each)).value
    except InvalidParameterTypeException as error:
        raise ValueError(f"{error}: give a value such as {each.default!r}") from error


def _warn_of_misspelt(node: Node) -> None:
    """Name overrides of no parameter that look like one; others may be another node's."""
    declared = list(node.list_parameters([], 0).names)
    for given in node._parameter_overrides:  # which rclpy gives in no other way
        like = difflib.get_close_matches(given, declared, 1, _ALIKE)
        if given not in declared and like:
            node.get_logger().warning(
                f"parameter '{given}' is given, but there is none of this name: set '{like[0]}'"
            )


def _descriptor(each: Field) -> ParameterDescriptor:
    rules = each.metadata
    descriptor = ParameterDescriptor(
        description=rules["description"],
        additional_constraints=rules["allowed"],
        read_only=not rules["live"],
    )
    if rules["range"]:
        low, high = rules["range"]
        if isinstance(each.default, int):
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


class BaseNode(Node, Generic[S]):
    """A node with settings, health, throttled log lines and diagnostics.

    Args:
        name: the node's.
        kind: its settings.
        options: passed to rclpy's node.

    Attributes:
        settings: the values of now.
        health: counts and times for the diagnostics.
        exit_status: of the process, when the node ends it.

    Raises:
        ValueError, rclpy.exceptions.ParameterException: a parameter override that cannot be used.
    """

    exit_status = 0

    def __init__(self, name: str, kind: type[S], **options: Any) -> None:
        super().__init__(name, **options)
        self.settings = declare_parameters(self, kind)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self.health = Health()
        self._throttle = Throttle(_LOG_PERIOD)
        self._silent_inputs = SilentInputs()
        self._last_snapshot = self.health.snapshot()

    def start(self) -> bool:
        """Begin to work; whether it could."""
        return True

    def farewell(self) -> None:
        """Publish what others must know before the process ends; on any thread, for a moment."""

    def close(self) -> None:
        """Stop everything."""

    def start_diagnostics(self) -> None:
        """Publish /diagnostics once a second from now on: rates, drops, times, silent inputs."""
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", copy(RESULTS), qos_overriding_options=OVERRIDING
        )
        # Wall time: diagnostics go on while a simulation is paused.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_REPORT_PERIOD, self._publish_diagnostics, clock=clock)

    def expected_inputs(self) -> dict[str, str]:
        """Inputs that should come now, name -> full topic name."""
        return {}

    def describe(self) -> dict[str, str]:
        """Further values for the diagnostics."""
        return {}

    def notice(self) -> str:
        """What else the diagnostics' line says; empty for nothing."""
        return ""

    def warn_throttled(self, kind: str, text: str) -> None:
        """Log what a user must repair, once in a while for each kind."""
        if line := self._throttle.pass_on(kind, text):
            self.get_logger().warning(line)

    def error_throttled(self, kind: str, text: str) -> None:
        """Log a failure, once in a while for each kind."""
        if line := self._throttle.pass_on(kind, text):
            self.get_logger().error(line)

    def age(self, stamp: Time) -> float:
        """Seconds since a stamp, by the node's clock."""
        return (self.get_clock().now() - ros_time.Time.from_msg(stamp)).nanoseconds / 1e9

    def count_published(self, stamp: Time) -> None:
        """Count a frame whose results were published, and note how old its image is."""
        self.health.publish()
        age = self.age(stamp)
        if 0 <= age < _LONGEST_LATENCY:
            self.health.took("latency", 1e3 * age)

    def _publish_diagnostics(self) -> None:
        now, before = self.health.snapshot(), self._last_snapshot
        self._last_snapshot = now
        silent, warned = self._silent_inputs.update(now, before, self.expected_inputs())
        for name, topic in warned.items():
            cause = why_silent(self, topic) or "is its publisher running?"
            self.warn_throttled(f"silent_{name}", f"{topic}: nothing comes: {cause}")
        level, text = verdict(now, before, silent)
        text = "; ".join(filter(None, (text, self.notice())))
        values = self.describe() | diagnostic_values(now, before)
        name = self.get_fully_qualified_name().lstrip("/")
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(name, stamp, level, text, values))

    def _check_parameters(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            self.settings.changed(_values(parameters))
        except (ValueError, TypeError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, parameters: Sequence[Parameter]) -> None:
        self.settings = self.settings.changed(_values(parameters))


class ManagedNode(BaseNode[S], LifecycleNode):
    """A `BaseNode` with a lifecycle that survives every request.

    In rclpy 7 a transition that the state does not have ends the process (rclpy#1209), and an
    exception of a callback is swallowed.
    """

    def __init__(self, name: str, kind: type[S], **options: Any) -> None:
        super().__init__(name, kind, **options)
        self._legal_change = self._service_change_state.callback
        self._service_change_state.callback = self._on_change_state
        self._callbacks = {
            state: partial(self._run_callback, callback)
            for state, callback in self._callbacks.items()
        }

    def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        """Pass on what the state allows; `success: false` and a line for all else."""
        wanted = request.transition
        legal = {each[0]: each[1] for each in self._state_machine.available_transitions}
        if wanted.label in legal.values() if wanted.label else wanted.id in legal:
            return self._legal_change(request, response)
        self.warn_throttled(
            "transition_refused",
            f"transition '{wanted.label or wanted.id}' is refused: the node is "
            f"{self._state_machine.current_state[1]}: use "
            + (" or ".join(sorted(set(legal.values()))) or "a new process"),
        )
        response.success = False
        return response

    def _run_callback(
        self,
        callback: Callable[[LifecycleState], TransitionCallbackReturn],
        previous: LifecycleState,
    ) -> TransitionCallbackReturn:
        try:
            return callback(previous)
        except Exception as error:
            if ok(context=self.context):
                doing = self._state_machine.current_state[1]
                self.get_logger().error(f"{doing} failed: {type(error).__name__}: {error}")
            raise  # rclpy goes on with on_error


def _values(parameters: Sequence[Parameter]) -> dict[str, Any]:
    return {each.name: each.value for each in parameters}


def diagnostic_array(
    name: str, stamp: Time, level: int, text: str, values: dict[str, str]
) -> DiagnosticArray:
    """One status as a DiagnosticArray."""
    status = DiagnosticStatus(level=bytes([level]), name=name, message=text, hardware_id=name)
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
