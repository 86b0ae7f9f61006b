"""What the node's tests need: a node process, a client, and messages to send."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from im2hands_ros.msg import HandKeypoints, HandMeshArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from im2hands_ros.ros.imaging import fill_image
from im2hands_ros.ros.messages import keypoints_message
from im2hands_ros.skeleton import BONES

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 64, 48
FRAME_ID = "camera_optical_frame"
_PATIENCE = 60.0  # a busy machine
ANALYTIC_NODE = str(ROOT / "test/ros/analytic_node.py")
REAL_NODE = ("-m", "im2hands_ros.ros.node")
_numbers = itertools.count(1)

# Inputs of which none may be lost on the way, so that every one is to be found in a counter.
LOSSLESS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LOSSLESS_INPUTS = tuple(
    f"qos_overrides.{{namespace}}/{topic}.subscription.{policy}"
    for topic in ("image", "camera_info", "keypoints")
    for policy in ("reliability:=reliable", "depth:=100")
)


def new_namespace() -> str:
    """A namespace that no other node of this test run has."""
    return f"/test{next(_numbers)}"


class NodeProcess:
    """The node in a process and a namespace of its own; its output goes to a file.

    Args:
        command: Python arguments that run the node.
        parameters: `name:=value`; `{namespace}` in it becomes the node's.
        log: where the output goes.
        modules: a folder of modules that the node finds before all others.
        namespace: the node's; a new one without.
    """

    def __init__(
        self,
        command: Sequence[str],
        parameters: Sequence[str],
        log: Path,
        modules: Path | None = None,
        namespace: str = "",
    ) -> None:
        self._log = log
        self.namespace = namespace or new_namespace()
        arguments = [*command, "--ros-args", "-r", f"__ns:={self.namespace}"]
        for parameter in parameters:
            arguments += ["-p", parameter.replace("{namespace}", self.namespace)]
        paths = [str(modules or ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )

    @property
    def log(self) -> str:
        """All the process has written so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def processor_seconds(self) -> float:
        """Processor time of all threads so far; the machine's other work is not in it."""
        times = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in times) / 1e9

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self._process.kill()
        self._process.wait()

    def wait_for_log(self, text: str, timeout: float = _PATIENCE) -> None:
        """Wait until the process has written this."""
        deadline = time.monotonic() + timeout
        while text not in self.log:
            assert time.monotonic() < deadline, f"'{text}' never appeared in:\n{self.log}"
            assert self._process.poll() is None or text in self.log, self.log
            time.sleep(0.05)

    def interrupt(self) -> tuple[int, float]:
        """Send SIGINT; (exit status, seconds until it ended)."""
        start = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(10), time.monotonic() - start

    def shared_memory(self) -> set[Path]:
        """Fast DDS's shared-memory segments that this process uses."""
        lines = Path(f"/proc/{self._process.pid}/maps").read_text().splitlines()
        paths = {Path(line.split()[-1]) for line in lines if "/dev/shm/fastrtps_" in line}
        return {path for path in paths if "_port" not in path.name}

    def wait(self, timeout: float = _PATIENCE) -> int:
        """Wait for the process to end by itself; its exit status."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


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
        self.node = rclpy.create_node(f"client_{next(_numbers)}", namespace=namespace)
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
        self.received: dict[str, list] = {"markers": [], "meshes": [], "occupancy": []}
        self._values: dict[str, str] = {}
        self.level, self.verdict = 0, ""
        self.beats = 0  # diagnostics that came
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 1)
        self._listens = listen
        if listen:
            self._listen("markers", MarkerArray)
            self._listen("meshes", HandMeshArray)
            self._listen("occupancy", PointCloud2)

    def _listen(self, topic: str, kind: type) -> None:
        self.node.create_subscription(kind, topic, self.received[topic].append, 20)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        if status.name.startswith(self.node.get_namespace().lstrip("/") + "/"):
            self.beats += 1
            self.level, self.verdict = status.level[0], status.message
            self._values = {each.key: each.value for each in status.values}

    def wait_for_node(self, timeout: float = _PATIENCE) -> None:
        """Wait until the node hears all inputs and knows who listens to its outputs."""
        self.wait_until(
            lambda: all(each.get_subscription_count() for each in self._publishers.values()),
            "the node's subscriptions",
            timeout,
        )
        listeners = len(self.received) if self._listens else 0
        self.wait_until(lambda: self.count("subscribers") == listeners, "the node's publishers")

    def forget(self) -> None:
        """Drop what was received so far."""
        for messages in self.received.values():
            messages.clear()

    def wait_until(self, done: Callable[[], bool], what: str, timeout: float = _PATIENCE) -> None:
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
        found = []

        def look() -> bool:
            latest = reversed(self.received[topic])
            found.extend(itertools.islice((m for m in latest if stamp_of(m) == stamp), 1))
            return bool(found)

        self.wait_until(look, f"{topic} of {stamp}")
        return found[0]

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

    def begin_call(self, kind: type, service: str, request: object) -> object:
        """Send a request; the future of its answer."""
        caller = self.node.create_client(kind, service)
        self.wait_until(caller.service_is_ready, service)
        return caller.call_async(request)

    def call(self, kind: type, service: str, request: object, timeout: float = _PATIENCE) -> object:
        """The answer of a service."""
        future = self.begin_call(kind, service, request)
        self.wait_until(future.done, f"an answer of {service}", timeout)
        return future.result()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.remove_node(self.node)
        self.node.destroy_node()


def stamp_of(message: object) -> float:
    """The stamp of an output, seconds."""
    header = message.markers[0].header if isinstance(message, MarkerArray) else message.header
    return header.stamp.sec + header.stamp.nanosec / 1e9


def header(stamp: float) -> Header:
    """A header in the camera's frame; the stamp in seconds, a multiple of a millisecond."""
    message = Header(frame_id=FRAME_ID)
    message.stamp.sec = int(stamp)
    message.stamp.nanosec = round((stamp - int(stamp)) * 1e3) * 1_000_000
    return message


def image(stamp: float, value: int = 90) -> Image:
    """A plain grey image."""
    pixels = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    return fill_image(Image(header=header(stamp)), pixels)


def camera_info(stamp: float) -> CameraInfo:
    """The calibration of the test camera."""
    message = CameraInfo(header=header(stamp), width=WIDTH, height=HEIGHT)
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    return message


def hand(side: str) -> np.ndarray:
    """(21, 3) float32: an open hand half a metre in front of the camera."""
    mirror = -1 if side == "left" else 1
    points = np.zeros((21, 3), np.float32)
    for bone, (parent, child) in enumerate(BONES):
        finger, level = divmod(bone, 4)
        length = 0.09 if level == 0 else 0.03
        angle = 0.35 * (finger - 2) * mirror
        step = length * np.array([np.sin(angle), -np.cos(angle), 0])
        points[child] = points[parent] + step
    return (points + [0.1 * mirror, 0.05, 0.5]).astype(np.float32)


def keypoints(stamp: float, left: bool = True, right: bool = True) -> HandKeypoints:
    """The keypoints of open hands."""
    hands = {"left": hand("left") if left else None, "right": hand("right") if right else None}
    return keypoints_message(header(stamp), hands)
