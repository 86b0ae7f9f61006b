"""The other side of a node: publishes its inputs and collects its outputs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from im2hands_ros.msg import HandKeypoints, HandMeshArray
from node_process import PATIENCE
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from sent_messages import camera_info, image, keypoints, stamp_of
from visualization_msgs.msg import MarkerArray

# Inputs of which none may be lost on the way, so that every one is to be found in a counter.
LOSSLESS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LOSSLESS_INPUTS = tuple(
    f"qos_overrides.{{namespace}}/{topic}.subscription.{policy}"
    for topic in ("image", "camera_info", "keypoints")
    for policy in ("reliability:=reliable", "depth:=100")
)
DISCOVERY = 0.5  # seconds
RETRY = 5.0  # seconds
_clients = itertools.count(1)


class Messages(Sequence[Any]):
    """Bytes that came, which become messages when they are read.

    A frame's markers hold thousands of points and colours, and to make an object of each takes
    longer than all that the node does for the frame.
    """

    def __init__(self, kind: type) -> None:
        self._kind, self._all = kind, []

    def append(self, content: bytes) -> None:
        self._all.append(content)

    def clear(self) -> None:
        self._all.clear()

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int | slice) -> Any:
        numbers = range(len(self._all))[index]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        if isinstance(self._all[numbers], bytes):
            self._all[numbers] = deserialize_message(self._all[numbers], self._kind)
        return self._all[numbers]


class Client:
    """Publishes a node's inputs and collects its outputs.

    Args:
        namespace: the node's.
        listen: whether to subscribe to the outputs.
        inputs: topic -> type of the inputs, other than the usual ones.
        qos: of the inputs.
    """

    def __init__(
        self,
        namespace: str,
        listen: bool = True,
        inputs: Mapping[str, type] | None = None,
        qos: QoSProfile = qos_profile_sensor_data,
    ) -> None:
        self.node = rclpy.create_node(f"client_{next(_clients)}", namespace=namespace)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._topics = inputs or {
            "image": Image,
            "camera_info": CameraInfo,
            "keypoints": HandKeypoints,
        }
        self._publishers = {
            kind: self.node.create_publisher(kind, name, qos) for name, kind in self._topics.items()
        }
        self.received: dict[str, Any] = {
            "markers": Messages(MarkerArray),
            "meshes": [],
            "occupancy": [],
        }
        self._callers: dict[str, rclpy.client.Client] = {}
        self._values: dict[str, str] = {}
        self.level, self.verdict = 0, ""
        self.beats = 0  # diagnostics that came
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 1)
        self._listening: list[rclpy.subscription.Subscription] = []
        if listen:
            self._listen("markers", MarkerArray, raw=True)
            self._listen("meshes", HandMeshArray)
            self._listen("occupancy", PointCloud2)

    def _listen(self, topic: str, kind: type, raw: bool = False) -> None:
        take = self.received[topic].append
        self._listening.append(self.node.create_subscription(kind, topic, take, 20, raw=raw))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        if status.name.startswith(self.node.get_namespace().lstrip("/") + "/"):
            self.beats += 1
            self.level, self.verdict = status.level[0], status.message
            self._values = {each.key: each.value for each in status.values}

    def wait_for_node(self, timeout: float = PATIENCE) -> None:
        """Wait until the node hears all inputs and knows who listens to its outputs."""
        self.wait_until(
            lambda: all(each.get_subscription_count() for each in self._publishers.values()),
            "the node's subscriptions",
            timeout,
        )
        self.wait_until(
            lambda: (
                self.count("subscribers") == len(self._listening)
                and all(each.get_publisher_count() for each in self._listening)
            ),
            "the node's publishers",
        )

    def forget(self) -> None:
        """Drop what was received so far."""
        for messages in self.received.values():
            messages.clear()

    def wait_until(self, done: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        """Spin until `done()`; fails after the timeout, naming what was waited for."""
        deadline = time.monotonic() + timeout
        while not done():
            assert time.monotonic() < deadline, f"waited {timeout} s in vain for {what}"
            self._executor.spin_once(0.02)

    def spin(self, seconds: float) -> None:
        """Handle what comes for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(0.02)

    def send(self, *messages: object) -> None:
        """Publish each message on the topic of its type."""
        for message in messages:
            self._publishers[type(message)].publish(message)

    def send_frame(
        self, stamp: float, left: bool = True, right: bool = True, value: int = 90
    ) -> None:
        """Publish camera_info, image and keypoints of one instant."""
        self.send(camera_info(stamp), image(stamp, value), keypoints(stamp, left, right))

    def wait_for_frame(self, stamp: float, topic: str = "meshes") -> object:
        """Wait for the output of this stamp."""
        messages, found, looked_at = self.received[topic], [], 0

        def look() -> bool:
            nonlocal looked_at
            found.extend(each for each in messages[looked_at:] if stamp_of(each) == stamp)
            looked_at = len(messages)
            return bool(found)

        self.wait_until(look, f"{topic} of {stamp}")
        return found[-1]

    def stamps(self, topic: str = "meshes") -> list[float]:
        """Stamps of all messages received on a topic, seconds."""
        return [stamp_of(message) for message in self.received[topic]]

    def count(self, key: str) -> int:
        """A counter of the last diagnostics; 0 when it is not there."""
        return int(self._values.get(key, 0))

    def diagnosed(self, key: str) -> str:
        """A value of the last diagnostics; "" when it is not there."""
        return self._values.get(key, "")

    def diagnostics(self) -> dict[str, str]:
        """The values of the next diagnostics."""
        self._values = {}
        self.wait_until(lambda: bool(self._values), "diagnostics")
        return self._values

    def find_service(self, kind: type, service: str) -> None:
        """Wait until requests reach a service and its answers come back."""
        if service not in self._callers:
            self._callers[service] = caller = self.node.create_client(kind, service)
            self.wait_until(caller.service_is_ready, service)
            # Ready means that we found the server. An answer that is sent before the server found
            # us is lost, and nothing tells when it has (ros2/rmw_fastrtps#842).
            self.spin(DISCOVERY)

    def begin_call(self, kind: type, service: str, request: object) -> object:
        """Send a request; the future of its answer."""
        self.find_service(kind, service)
        return self._callers[service].call_async(request)

    def call(self, kind: type, service: str, request: object, timeout: float = PATIENCE) -> object:
        """The answer of a service."""
        future = self.begin_call(kind, service, request)
        self.wait_until(future.done, f"an answer of {service}", timeout)
        return future.result()

    def look_up(self, kind: type, service: str, request: object) -> object:
        """The answer of a service that changes nothing: requested again while none comes."""
        futures = []

        def answered() -> bool:
            if time.monotonic() > RETRY * len(futures) + began:
                futures.append(self.begin_call(kind, service, request))
            return any(future.done() for future in futures)

        began = time.monotonic()
        self.wait_until(answered, f"an answer of {service}")
        return next(future.result() for future in futures if future.done())

    def close(self) -> None:
        """Leave the graph."""
        self._executor.remove_node(self.node)
        self.node.destroy_node()
