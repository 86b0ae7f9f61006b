"""What the nodes beside `im2hands` share: described parameters, health, throttled complaints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from im2hands_ros.ros.diagnostics import Health, Throttle
from im2hands_ros.ros.parameter_schema import S, declare_settings, values_for
from im2hands_ros.ros.reporter import Reporter

_LOG_PERIOD = 5.0  # seconds between two lines of one kind


class DescribedNode(Node, Generic[S]):
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
        self._kind = kind
        self.settings = declare_settings(self, kind)
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

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self.settings.changed(values_for(self._kind, parameters))
        except (ValueError, TypeError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, parameters: list[Parameter]) -> None:
        self.settings = self.settings.changed(values_for(self._kind, parameters))
