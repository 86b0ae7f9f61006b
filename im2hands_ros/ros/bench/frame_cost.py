"""What ROS costs a frame: the node in a process of its own, with hands that are ready made.

640x480 images, calibration and keypoints go in over DDS; meshes of 2 x 20 480 triangles, 2 x 5000
voxels, keypoints, wrist poses and (first case) markers come back to this process as bytes.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Header
from tqdm import tqdm

from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.header import nanoseconds, read_stamp
from im2hands_ros.messages.images import write_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.provenance import describe
from im2hands_ros.ros.bench.ready_hands import TRIANGLES, VOXELS
from im2hands_ros.ros.qos import RESULTS
from im2hands_ros.ros.subprocesses import (
    ChildProcess,
    interrupted_once,
    ros_environment,
    ros_module,
    start_child,
)
from im2hands_ros.ros.topics import INPUTS, OUTPUTS
from im2hands_ros.stopwatch import median_and_p95
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

WIDTH, HEIGHT, RATE = 640, 480, 30.0
CASES = {
    "with_markers": OUTPUTS,
    "without_markers": {name: kind for name, kind in OUTPUTS.items() if name != "markers"},
}
_CALIBRATION = Calibration.of(Camera(WIDTH, HEIGHT, 600.0, 600.0, 319.5, 239.5))
_CONFIDENCE = {"left": 1.0, "right": 1.0}
_NAMESPACE = "/frame_cost"
_SETTLING = 30  # frames before the measured ones
_TIMEOUT = 60.0
_RESULT_TIMEOUT = 2.0


def report(frames: int) -> dict[str, Any]:
    """`measure` with the machine and the work; prints a line for each case."""
    with tempfile.TemporaryDirectory() as folder:
        cases = measure(frames, Path(folder) / "node.log")
    for name, case in cases.items():
        print(_line(name, case))
    return {
        "machine": describe("cpu"),
        "frames": frames,
        "rate": RATE,
        "image": [WIDTH, HEIGHT],
        "triangles": TRIANGLES,
        "voxels": VOXELS,
        "cases": cases,
    }


def measure(frames: int, log: Path) -> dict[str, Any]:
    """Processor and wall milliseconds a frame, for each of `CASES`.

    Args:
        frames: measured in each case.
        log: where the node's output goes.

    Returns:
        case -> `processor_ms` (of the node's process: executor, worker, transport, total),
        `node_ms` (the node's own stages, medians), `answered_ms` (from stamp to the last output
        in this process, median and p95) and `unanswered` frames.

    Raises:
        ChildExited: the node ended.
        TimeoutError: the node did not become active.
    """
    os.environ.update(ros_environment())
    # Following hands over time is not ROS's work.
    command = [*ros_module("bench.ready_hands", {"tracking": False}), "-r", f"__ns:={_NAMESPACE}"]
    with ExitStack() as stack:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        stack.callback(rclpy.try_shutdown)
        stack.enter_context(interrupted_once())
        child = start_child(stack, "node", command, log)
        node = rclpy.create_node("client", namespace=_NAMESPACE)
        stack.callback(node.destroy_node)
        client = _Client(node, child)
        return {name: client.measure(topics, frames, name) for name, topics in CASES.items()}


class _Client:
    """Sends frames to the node and takes its results as bytes: reading them is not the node's cost.

    Args:
        node: owns the endpoints; in the measured node's namespace.
        child: the measured node.
    """

    def __init__(self, node: Node, child: ChildProcess) -> None:
        self._node, self._child = node, child
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._inputs = {
            topic: node.create_publisher(kind, topic, qos_profile_sensor_data)
            for topic, kind in INPUTS.items()
        }
        self._pixels = np.random.default_rng(0).integers(0, 200, (HEIGHT, WIDTH, 3), np.uint8)
        self._keypoints = load_demo_sequence().frames[30].keypoints
        self._received: dict[str, int] = {}
        self._values: dict[str, str] = {}
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 1)

    def measure(self, topics: dict[str, type], frames: int, name: str) -> dict[str, Any]:
        """One case."""
        with self._subscribed(topics):
            for _ in range(_SETTLING):
                self._frame(topics)
            before = thread_times(self._child.pid)
            bar = tqdm(range(frames), desc=name, unit="frame", leave=False)
            answered = [self._frame(topics) for _ in bar]
            spent = thread_times(self._child.pid)
            self._values.clear()
            self._wait(lambda: bool(self._values), "diagnostics")
        processor_ms = {part: 1e3 * (spent[part] - before[part]) / frames for part in spent}
        processor_ms["total"] = sum(processor_ms.values())
        return {
            "processor_ms": {part: round(value, 2) for part, value in processor_ms.items()},
            "node_ms": {
                stage: float(self._values[f"stage.{stage}.median_ms"])
                for stage in ("decode", "publish", "frame", "latency")
            },
            "answered_ms": median_and_p95(answered),
            "unanswered": int(np.isnan(answered).sum()),
        }

    @contextmanager
    def _subscribed(self, topics: dict[str, type]) -> Iterator[None]:
        subscriptions = [
            self._node.create_subscription(kind, topic, self._on_result(topic), RESULTS, raw=True)
            for topic, kind in topics.items()
        ]
        self._wait(
            lambda: (
                all(each.get_subscription_count() for each in self._inputs.values())
                and self._values.get("subscribers") == str(len(topics))
            ),
            "the node",
        )
        yield
        for subscription in subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_result(self, topic: str) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            self._received[topic] = read_stamp(data, in_sequence=topic == "markers")

        return take

    def _frame(self, topics: dict[str, type]) -> float:
        """Milliseconds from the stamp to the last result; NaN when one is missing."""
        started = time.monotonic()
        self._received.clear()
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id="camera")
        stamp = nanoseconds(header.stamp)
        self._inputs["camera_info"].publish(write_camera_info(header, _CALIBRATION))
        self._inputs["keypoints"].publish(write_keypoints(header, self._keypoints, _CONFIDENCE))
        self._inputs["image"].publish(write_image(header, self._pixels))
        took = float("nan")
        while (elapsed := time.monotonic() - started) < _RESULT_TIMEOUT:
            self._executor.spin_once(0.01)
            if all(self._received.get(topic) == stamp for topic in topics):
                took = 1e3 * (time.monotonic() - started)
                break
        time.sleep(max(0.0, 1 / RATE - elapsed))
        return took

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while not done():
            self._child.check_running()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {_TIMEOUT:g} s in vain for {what}")
            self._executor.spin_once(0.05)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        if status.name.startswith(_NAMESPACE.lstrip("/")):
            self._values = {each.key: each.value for each in status.values}


def thread_times(pid: int) -> dict[str, float]:
    """Processor seconds of a node's process by part: executor, worker and DDS's own threads."""
    times = {"executor": 0.0, "worker": 0.0, "transport": 0.0}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text()
        part = "transport" if name.startswith("dds.") else "worker"
        part = "executor" if task.name == str(pid) else part
        times[part] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return times


def _line(name: str, case: dict[str, Any]) -> str:
    spent, answered = case["processor_ms"], case["answered_ms"]
    parts = ", ".join(f"{part} {spent[part]:.1f}" for part in spent if part != "total")
    return (
        f"{name}: {spent['total']:.1f} ms of processor a frame ({parts}); answered after "
        f"{answered['median']:.1f} ms (p95 {answered['p95']:.1f})"
    )
