"""The lifecycle node `im2hands`: parameters, states, who talks to whom. No algorithm.

A single-threaded executor hears the inputs and hands the newest matched frame to one worker
thread, which owns the model and the device. (A MultiThreadedExecutor multiplied the latency by
three to five.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.time import Time

from im2hands_ros.bad_input import BadInput
from im2hands_ros.ros.base_node import declare_parameters
from im2hands_ros.ros.device import free_device_memory, load_im2hands, memory_values
from im2hands_ros.ros.diagnostics import Health, Throttle
from im2hands_ros.ros.inputs import Frame, Inputs, input_of
from im2hands_ros.ros.outputs import Outputs
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.processing import Processing
from im2hands_ros.ros.queries import Queries
from im2hands_ros.ros.query_service import QueryService
from im2hands_ros.ros.reporter import Reporter
from im2hands_ros.ros.worker import Worker
from im2hands_ros.tracking.tracker import HandTracker

ModelLoader = Callable[[Settings], Any]

_LOG_PERIOD = 5.0  # seconds between two lines of one kind
_NOT_ACTIVE = "the node is not active: activate it (ros2 lifecycle set, or auto_activate)"
_STOP_TIMEOUT = 1.0  # a frame in work may finish; the process must end within 2 s


class Im2HandsNode(LifecycleNode):
    """Two hand surfaces for each image that comes with keypoints.

    Args:
        load_model: makes the model from the settings; it has `warm_up(resolution)` and
            `encode(image, keypoints, camera)`, `stages` and their switches as `Im2Hands` has.
        options: passed to rclpy's node.

    Raises:
        ValueError, rclpy.exceptions.ParameterException: a parameter override that cannot be used.
    """

    def __init__(self, load_model: ModelLoader = load_im2hands, **options: Any) -> None:
        super().__init__("im2hands", **options)
        self.settings = declare_parameters(self, Settings)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self.health = Health()
        self._load_model = load_model
        self._queries = Queries(lambda milliseconds: self.health.took("query", milliseconds))
        self._query_service = QueryService(self, self._queries, self._begin_query)
        self._processing: Processing | None = None
        self._throttle = Throttle(_LOG_PERIOD)
        self._worker: Worker[Any, Frame] | None = None
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._reporter = Reporter(
            self,
            self.health,
            self._awaited,
            self._complain,
            self._describe,
            lambda: "" if self._processing is None else self._processing.notice,
        )

    # States

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm it up."""
        try:
            self._outputs = Outputs(self, self.settings, self._complain)
            self._worker = self._make_worker(self._outputs)
            self._worker.start(cancelled=lambda: not rclpy.ok(context=self.context))
        except Exception as error:  # noqa: BLE001 - whatever loading raised, it ends here
            return self._refuse("configure", error)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen and publish."""
        try:
            self._inputs = Inputs(
                self, self.settings, self.health, self._wanted, self._complain, self._deliver
            )
        except Exception as error:  # noqa: BLE001 - a QoS override that is none
            return self._refuse("activate", error)
        result = super().on_activate(state)
        self._outputs.open()
        topics = ", ".join(f"{name} on {topic}" for name, topic in self._inputs.topics.items())
        self.get_logger().info(f"active: {topics}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and take the hands from view; the model stays."""
        self._fall_silent()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model and the device."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End from any state."""
        self.close()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition failed: back to unconfigured."""
        self.close()
        return super().on_error(state)

    def start(self) -> bool:
        """Configure and activate if `auto_activate` says so; whether that worked."""
        if not self.settings.auto_activate:
            return True
        done = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == done and self.trigger_activate() == done

    def close(self) -> None:
        """Stop everything; a worker that is stuck is left behind after a second."""
        self._fall_silent()
        self._release()

    def _make_worker(self, outputs: Outputs) -> Worker[Any, Frame]:
        self._processing = Processing(
            outputs,
            self._queries,
            self.health,
            lambda: self.settings,
            self._age,
            self._complain,
            lambda text: self.get_logger().info(text),
        )
        return Worker(
            self._set_up,
            self._processing.process,
            outputs.expire,
            self._on_error,
            self._queries.work,
        )

    def _refuse(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        if rclpy.ok(context=self.context):
            self.get_logger().error(f"cannot {transition}: {error}")
        if transition == "configure":
            self._release()
        return TransitionCallbackReturn.FAILURE

    def _fall_silent(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        if self._outputs is not None and rclpy.ok(context=self.context):
            self._outputs.close()
        self._queries.forget(_NOT_ACTIVE)

    def _release(self) -> None:
        if self._worker is not None:
            self._worker.stop(_STOP_TIMEOUT)
        if self._outputs is not None:
            self._outputs.destroy()
        self._worker = self._outputs = None
        self._queries.forget(_NOT_ACTIVE)  # the last frame may have left a field
        free_device_memory()

    # On the worker's thread

    def _set_up(self) -> Any:
        tracker = HandTracker(self._load_model(self.settings), self.settings)
        self._processing.set_up(tracker)
        return tracker

    def _age(self, stamp: Any) -> float:
        return (self.get_clock().now() - Time.from_msg(stamp)).nanoseconds / 1e9

    def _on_error(self, error: Exception) -> None:
        inputs = self._inputs
        if isinstance(error, BadInput) and inputs is not None:
            inputs.refuse(input_of(error), error)
            return
        self.health.drop("pipeline_error")
        text = self._throttle.pass_on(
            "pipeline_error", f"a frame failed: {type(error).__name__}: {error}"
        )
        if text:
            self.get_logger().error(text)

    # On the executor's thread

    def _deliver(self, frame: Frame) -> None:
        if self._worker.post(frame):
            self.health.drop("overwritten")

    def _wanted(self) -> bool:
        """Whether anybody would look at a result."""
        return self._outputs.wanted() or self._queries.interested

    def _begin_query(self) -> str:
        """Let the worker answer; why it cannot."""
        self.health.receive("query_occupancy")
        if self._worker is None or self._inputs is None:
            return _NOT_ACTIVE
        self._worker.nudge()
        return ""

    def _awaited(self) -> dict[str, str]:
        """Inputs that should come now, name -> full topic name."""
        if self._inputs is None or not self._wanted():
            return {}
        return self._inputs.topics

    def _describe(self) -> dict[str, str]:
        listeners = 0 if self._outputs is None else self._outputs.subscribers()
        state = self._state_machine.current_state[1]
        values = {"state": state, "subscribers": str(listeners)}
        return values | (self._processing.values if self._processing else {}) | memory_values()

    def _complain(self, kind: str, text: str) -> None:
        line = self._throttle.pass_on(kind, text)
        if line:
            self.get_logger().warning(line)

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self.settings.changed(_ours(parameters))
        except (ValueError, TypeError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, parameters: list[Parameter]) -> None:
        self.settings = self.settings.changed(_ours(parameters))
        if self._inputs is not None:
            self._inputs.set_slop(self.settings.sync_slop)


def _ours(parameters: Sequence[Parameter]) -> dict[str, Any]:
    names = Settings.__dataclass_fields__
    return {each.name: each.value for each in parameters if each.name in names}


def main(args: Sequence[str] | None = None, load_model: ModelLoader = load_im2hands) -> NoReturn:
    """Run the node until SIGINT or SIGTERM, then end the process; see `run_process`."""
    run_process(lambda: Im2HandsNode(load_model), args)


if __name__ == "__main__":
    main()
