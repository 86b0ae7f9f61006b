"""The lifecycle node `im2hands`: parameters, states, who is connected to whom. No algorithm.

A single-threaded executor takes the inputs and hands the newest matched frame to one worker
thread, which owns the model and the device. (A MultiThreadedExecutor multiplied the latency by
three to five.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.task import Future

from im2hands_ros.ros.base_node import ManagedNode
from im2hands_ros.ros.collection import leave_out_of_collection
from im2hands_ros.ros.device import free_device_memory, load_im2hands, memory_values
from im2hands_ros.ros.image_inputs import report_failure
from im2hands_ros.ros.inputs import NodeInputs, SyncedFrame
from im2hands_ros.ros.outputs import Outputs
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.processing import Processing
from im2hands_ros.ros.queries import Queries, QueryResult, fill_response, points_of
from im2hands_ros.ros.worker import Worker
from im2hands_ros.srv import QueryOccupancy
from im2hands_ros.tracking.interfaces import FrameModel
from im2hands_ros.tracking.tracker import HandTracker

ModelLoader = Callable[[Settings], FrameModel]

_NOT_ACTIVE = "the node is not active: activate it (ros2 lifecycle set, or auto_activate)"
_STOP_TIMEOUT = 1.0  # a frame in work may finish; the process must end within 2 s
_FAREWELL = 0.1  # seconds that the last messages have to arrive


class Im2HandsNode(ManagedNode[Settings]):
    """Two hand surfaces for each image that comes with keypoints.

    Args:
        load_model: makes the model from the settings.
        options: passed to rclpy's node.

    Raises:
        ValueError, rclpy.exceptions.ParameterException: a parameter override that cannot be used.
    """

    def __init__(self, load_model: ModelLoader = load_im2hands, **options: Any) -> None:
        super().__init__("im2hands", Settings, **options)
        self._load_model = load_model
        self._queries = Queries(lambda milliseconds: self.health.took("query", milliseconds))
        on_query: Any = self._on_query  # rclpy's annotations lack coroutines
        # A group of its own: a query that waits for its result would keep the inputs waiting.
        self._query_service = self.create_service(
            QueryOccupancy, "query_occupancy", on_query, callback_group=ReentrantCallbackGroup()
        )
        self._processing: Processing | None = None
        self._worker: Worker[HandTracker, SyncedFrame] | None = None
        self._outputs: Outputs | None = None
        self._inputs: NodeInputs | None = None
        self.start_diagnostics()

    # States

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm it up."""
        try:
            self._outputs = Outputs(self, self.settings)
            self._processing = Processing(self, self._outputs, self._queries)
            self._worker = Worker(
                partial(self._set_up, self._processing),
                self._processing.process,
                self._outputs.expire,
                self._on_error,
                self._queries.work,
            )
            self._worker.start(cancelled=lambda: not rclpy.ok(context=self.context))
        except Exception as error:  # noqa: BLE001 - whatever loading raised, it ends here
            refused = self._refuse("configure", error)
            self._release()
            return refused
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and publish."""
        try:
            self._inputs = NodeInputs(self, self._has_subscribers, self._deliver)
        except Exception as error:  # noqa: BLE001 - a QoS override that is none
            return self._refuse("activate", error)
        result = super().on_activate(state)
        assert self._outputs is not None  # since on_configure
        self._outputs.open()
        topics = ", ".join(f"{name} on {topic}" for name, topic in self._inputs.topics.items())
        self.get_logger().info(f"active: {topics}")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and take the hands from view; the model stays."""
        self._disconnect()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the device."""
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

    def farewell(self) -> None:
        """Take the hands from view: who follows them must not wait for a lifetime to pass."""
        if self._outputs is not None:
            self._outputs.close()
            self._outputs.wait_until_received(_FAREWELL)

    def close(self) -> None:
        """Stop everything; a worker that is stuck is left behind after a second."""
        self._disconnect()
        self._release()

    def _refuse(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        if rclpy.ok(context=self.context):
            self.get_logger().error(f"cannot {transition}: {error}")
        return TransitionCallbackReturn.FAILURE

    def _disconnect(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        if rclpy.ok(context=self.context):
            self.farewell()
        self._queries.clear(_NOT_ACTIVE)

    def _release(self) -> None:
        if self._worker is not None:
            self._worker.stop(_STOP_TIMEOUT)
        if self._outputs is not None:
            self._outputs.destroy()
        self._worker = self._outputs = None
        self._queries.clear(_NOT_ACTIVE)  # the last frame may have left a field
        free_device_memory()

    # On the worker's thread

    def _set_up(self, processing: Processing) -> HandTracker:
        tracker = HandTracker(self._load_model(self.settings), self.settings)
        processing.set_up(tracker)
        leave_out_of_collection()
        return tracker

    def _on_error(self, error: Exception) -> None:
        report_failure(self, self._inputs, error)

    # On the executor's thread

    def _deliver(self, frame: SyncedFrame) -> None:
        if self._worker is not None and self._worker.post(frame):
            self.health.drop("overwritten")

    def _has_subscribers(self) -> bool:
        """Whether anybody would receive a result."""
        outputs = self._outputs
        return self._queries.are_active or (outputs is not None and outputs.has_subscribers())

    async def _on_query(
        self, request: QueryOccupancy.Request, response: QueryOccupancy.Response
    ) -> QueryOccupancy.Response:
        """Let the worker evaluate a query; the response is sent when it has."""
        future: Future = Future()

        def reply(result: QueryResult) -> None:
            future.set_result(result)
            if self.executor is not None:  # a future does not wake the executor that waits for it
                self.executor.wake()

        try:
            self._queries.submit(points_of(request), reply)
        except ValueError as problem:
            response.message = str(problem)
            return response
        self.health.receive("query_occupancy")
        if self._worker is None or self._inputs is None:
            self._queries.clear(_NOT_ACTIVE)
        else:
            self._worker.nudge()
        fill_response(response, await future)
        return response

    def expected_inputs(self) -> dict[str, str]:
        """Inputs that should come now, name -> full topic name."""
        if self._inputs is None or not self._has_subscribers():
            return {}
        return {name: topic for name, topic in self._inputs.topics.items() if name != "depth"}

    def describe(self) -> dict[str, str]:
        """State, subscribers, running stages, resolution and memory, for the diagnostics."""
        count = 0 if self._outputs is None else self._outputs.subscriber_count()
        state = self._state_machine.current_state[1]
        values = {"state": state, "subscribers": str(count)}
        values |= self._inputs.values if self._inputs else {}
        return values | (self._processing.values if self._processing else {}) | memory_values()

    def notice(self) -> str:
        """Says that the resolution is reduced; empty when it is not."""
        return self._processing.notice if self._processing else ""


def main(args: Sequence[str] | None = None, load_model: ModelLoader = load_im2hands) -> NoReturn:
    """Run the node until SIGINT or SIGTERM, then end the process; see `run_process`."""
    run_process(lambda: Im2HandsNode(load_model), args)


if __name__ == "__main__":
    main()
