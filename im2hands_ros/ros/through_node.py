"""A frame of a bag to its results, through the node: a process of its own, over DDS.

One frame is sent, and its answer awaited, before the next: nothing is lost, however slow the
machine. The messages are sent and taken as bytes.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.bad_input import BadInput
from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.bags.frames import Decoder, Frame
from im2hands_ros.bags.topics import COMPRESSED_IMAGE, POSE_ARRAY, Chosen
from im2hands_ros.camera import Camera
from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.header import nanoseconds, read_stamp
from im2hands_ros.messages.named_poses import NAMED_POSE_ARRAY
from im2hands_ros.messages.results import RESULT_TYPES
from im2hands_ros.msg import HandKeypoints
from im2hands_ros.ros.node_state import NodeState
from im2hands_ros.ros.subprocesses import (
    interrupted_once,
    parameter_arguments,
    ros_environment,
    ros_module,
    start_child,
)
from im2hands_ros.ros.topics import OUTPUTS
from im2hands_ros.stopwatch import Stopwatch
from im2hands_ros.tracking.settings import ReplaySettings

NODE = ros_module("node")
_START_TIMEOUT = 180.0  # seconds for loading and warming up
_ANSWER_TIMEOUT = 60.0  # seconds for a frame
_REST_TIMEOUT = 1.0  # seconds for the rest of an answer, which may lack a wrist or the markers
_DIAGNOSTICS_TIMEOUT = 1.5  # seconds; they come every second
_ALWAYS = {"/refined_keypoints", "/meshes", "/occupancy"}
_POLL = 0.02


class NodeTimes(Stopwatch):
    """What is measured here, and the node's own stages as its diagnostics give them."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        super().__init__()
        self._refresh = refresh
        self.of_node: dict[str, float] = {}

    def means(self) -> dict[str, float]:
        """Milliseconds by stage; the node's are medians."""
        self._refresh()
        return {**self.of_node, **super().means()}


class ThroughNode:
    """Sends frames to a node of its own and takes the answers. Use as a context manager.

    Args:
        settings: the node's parameters.
        decoder: refuses images before the node has to.
        chosen: which topics the bag's inputs are.
        command: what runs the node.

    Attributes:
        times: of the stages.
    """

    def __init__(
        self,
        settings: ReplaySettings,
        decoder: Decoder,
        chosen: Chosen,
        command: Sequence[str] = NODE,
    ) -> None:
        if not settings.use_depth:
            chosen = replace(chosen, depth=None)
        self._decoder, self._chosen = decoder, chosen
        self._command = [*command, *_arguments(settings, chosen)]
        self._stack = ExitStack()
        self._answer: dict[str, bytes] = {}
        self._awaited: int | None = None
        self.times = NodeTimes(self._wait_for_diagnostics)

    def __enter__(self) -> ThroughNode:
        os.environ.update(ros_environment())
        self._stack.enter_context(interrupted_once())
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, frame: Frame) -> list[tuple[str, bytes]]:
        """(topic, serialised message) of a frame's results.

        Raises:
            BadInput: an image or calibration that cannot be used, or no answer came.
            ChildExited: the node has ended.
        """
        with self.times.stage("decode"):
            _, camera = self._decoder(frame)
        self._answer, self._awaited = {}, nanoseconds(frame.header.stamp)
        with self.times.stage("round trip"):
            self._send(frame, camera)
            if not self._spin_until(lambda: self._answer.keys() >= _ALWAYS, _ANSWER_TIMEOUT):
                raise BadInput(
                    "no_answer",
                    f"the node gave no answer in {_ANSWER_TIMEOUT:g} s; {self._end_of_log()}",
                )
            wanted = self._all_that_comes()
            self._spin_until(lambda: self._answer.keys() >= wanted, _REST_TIMEOUT)
        return [(topic, self._answer[topic]) for topic in RESULT_TYPES if topic in self._answer]

    def _start(self) -> None:
        """The node, and a client that has found it."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="im2hands_")))
        self._log = folder / "node.log"
        self._child = start_child(self._stack, "the node", self._command, self._log)
        context = rclpy.Context()  # whoever calls may have one already
        rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        self._stack.callback(context.try_shutdown)
        self._node = rclpy.create_node("im2hands_replay", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._stack.callback(self._node.destroy_node)
        self._publishers = {
            role: self._node.create_publisher(kind, name, QoSProfile(depth=10))
            for role, (name, kind) in _inputs(self._chosen).items()
        }
        for name, kind in OUTPUTS.items():
            topic = f"/{name}"
            take = partial(self._take, topic)
            self._node.create_subscription(kind, topic, take, QoSProfile(depth=10), raw=True)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._wait_for_node()

    def _wait_for_node(self) -> None:
        state = NodeState(self._node, "/im2hands")

        def is_matched() -> bool:
            sent = all(each.get_subscription_count() for each in self._publishers.values())
            return sent and all(self._node.count_publishers(topic) for topic in RESULT_TYPES)

        for what, condition in (("active", state.is_active), ("found over DDS", is_matched)):
            if not self._spin_until(condition, _START_TIMEOUT):
                raise TimeoutError(
                    f"the node was not {what} in {_START_TIMEOUT:g} s; {self._end_of_log()}"
                )
        self._spin_until(lambda: False, _REST_TIMEOUT)  # it may not have found this client yet

    def _spin_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Handle what comes until the condition holds; whether it does in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._child.check_running()
            self._executor.spin_once(_POLL)
        return True

    def _send(self, frame: Frame, camera: Camera) -> None:
        """The image goes last: when it arrives, everything it needs is there."""
        if frame.camera_info is None:
            data = write_camera_info(frame.header, Calibration.of(camera))
        else:
            data = frame.camera_info.raw.data
        self._publishers["camera_info"].publish(data)
        self._publishers["keypoints"].publish(frame.keypoints_message.raw.data)
        if frame.depth is not None and "depth" in self._publishers:
            self._publishers["depth"].publish(frame.depth.raw.data)
        self._publishers["image"].publish(frame.image.raw.data)

    def _take(self, topic: str, data: bytes) -> None:
        if read_stamp(data, in_sequence=topic == "/markers") == self._awaited:
            self._answer[topic] = data

    def _all_that_comes(self) -> set[str]:
        """The topics of this answer: hands that are there have wrists and markers."""
        types = standard_types()
        name = "/refined_keypoints"
        keypoints: Any = types.deserialize_cdr(self._answer[name], RESULT_TYPES[name])
        sides = [side for side in ("left", "right") if getattr(keypoints, f"{side}_valid")]
        return (
            _ALWAYS | {f"/{side}/wrist_pose" for side in sides} | ({"/markers"} if sides else set())
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for pair in status.values:
                if pair.key.startswith("stage.") and pair.key.endswith(".median_ms"):
                    self.times.of_node[pair.key.split(".")[1]] = float(pair.value)

    def _wait_for_diagnostics(self) -> None:
        before = dict(self.times.of_node)
        self._spin_until(lambda: self.times.of_node != before, _DIAGNOSTICS_TIMEOUT)

    def _end_of_log(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"its log ends with: {lines[-1]}" if lines else "its log is empty"


def _inputs(chosen: Chosen) -> dict[str, tuple[str, type]]:
    """Role -> the node's topic and its type. Raises ValueError where there is none."""
    if chosen.keypoints.type == NAMED_POSE_ARRAY:
        raise ValueError(
            f"'{chosen.keypoints.name}' is a {NAMED_POSE_ARRAY}, whose package the node would "
            "need: replay without --node"
        )
    compressed = chosen.image.type == COMPRESSED_IMAGE
    poses = chosen.keypoints.type == POSE_ARRAY
    depth = {} if chosen.depth is None else {"depth": ("/depth", Image)}
    return depth | {
        "camera_info": ("/camera_info", CameraInfo),
        "keypoints": ("/keypoint_poses", PoseArray) if poses else ("/keypoints", HandKeypoints),
        "image": ("/image/compressed", CompressedImage) if compressed else ("/image", Image),
    }


def _arguments(settings: ReplaySettings, chosen: Chosen) -> list[str]:
    """The node's parameters as its command line."""
    values: dict[str, Any] = asdict(settings)
    if settings.weights:
        values["weights"] = str(Path(settings.weights).resolve())
    if chosen.image.type == COMPRESSED_IMAGE:
        values["image_transport"] = "compressed"
    if chosen.keypoints.type == POSE_ARRAY:
        values["keypoints_type"] = "pose_array"
    return parameter_arguments({name: value for name, value in values.items() if value != ""})
