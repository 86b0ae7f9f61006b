"""What all nodes share: parameters of a schema, health, throttled log lines, diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from typing import Any, Generic

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from im2hands_ros.parameter_schema import S
from im2hands_ros.ros.diagnostics import Health, Throttle
from im2hands_ros.ros.reporter import Reporter

_LOG_PERIOD = 5.0  # seconds between two lines of one kind


def declare_parameters(node: Node, kind: type[S]) -> S:
    """Declare every parameter of `kind` on a node; the values that overrides gave.

    Raises:
        ValueError: a value outside its range or choices.
        rclpy.exceptions.ParameterException: an override of the wrong type or range.
    """
    values = {
        each.name: node.declare_parameter(each.name, each.default, _descriptor(each)).value
        for each in fields(kind)
    }
    return kind(**values)


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
    """A node with settings and diagnostics.

    Args:
        name: the node's.
        kind: its settings.
        options: passed to rclpy's node.

    Attributes:
        settings: the values of now.
        health: counts and times for the diagnostics.

    Raises:
        ValueError, rclpy.exceptions.ParameterException: a parameter override that cannot be used.
    """

    def __init__(self, name: str, kind: type[S], **options: Any) -> None:
        super().__init__(name, **options)
        self.settings = declare_parameters(self, kind)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self.health = Health()
        self._throttle = Throttle(_LOG_PERIOD)

    def report(
        self,
        awaited: Callable[[], dict[str, str]] = dict,
        describe: Callable[[], dict[str, str]] = dict,
        notice: Callable[[], str] = str,
    ) -> None:
        """Publish diagnostics from now on; see `Reporter` for the three."""
        self._reporter = Reporter(self, self.health, awaited, self.complain, describe, notice)

    def complain(self, kind: str, text: str) -> None:
        """Log what a user must repair, once in a while for each kind."""
        line = self._throttle.pass_on(kind, text)
        if line:
            self.get_logger().warning(line)

    def accuse(self, kind: str, text: str) -> None:
        """Log a failure, once in a while for each kind."""
        line = self._throttle.pass_on(kind, text)
        if line:
            self.get_logger().error(line)

    def _check_parameters(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            self.settings.changed(_values(parameters))
        except (ValueError, TypeError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, parameters: Sequence[Parameter]) -> None:
        self.settings = self.settings.changed(_values(parameters))


def _values(parameters: Sequence[Parameter]) -> dict[str, Any]:
    return {each.name: each.value for each in parameters}
