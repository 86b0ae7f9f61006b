"""Node ``replay``: plays the demo sequence as a camera and a hand tracker would publish it.

Publishes ``image`` (sensor_msgs/Image), ``camera_info`` (sensor_msgs/CameraInfo) and ``keypoints``
(im2hands_ros/HandKeypoints) with sensor-data QoS, one stamp per frame, in frame ``frame_id``. It
holds its frames back until somebody listens, so that a recording starts at the first frame.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.images import write_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.msg import HandKeypoints
from im2hands_ros.skeleton import SIDES

if TYPE_CHECKING:
    from im2hands_ros.synthetic.demo_sequence import DemoSequence

EXIT_NOBODY_LISTENS = 3
TOPICS = {"image": Image, "camera_info": CameraInfo, "keypoints": HandKeypoints}
_POLL = 0.05  # seconds between two looks at who listens
_SETTLE = 0.5  # seconds: a listener that we know may not know us yet, and would miss a frame
_LINGER = 0.5  # seconds that the last frame is given to leave before its publisher goes

_PARAMETERS: dict[str, tuple[Any, str, tuple[float, float] | None]] = {
    "sequence": ("", "sequence to play (file); empty: the bundled demo", None),
    "rate": (10.0, "frames per second", (0.01, 240.0)),
    "loop": (False, "start over after the last frame instead of ending", None),
    "frame_id": (
        "camera",
        "frame of the images (optical: x right, y down, z forward)",
        None,
    ),
    "encoding": ("rgb8", "image encoding: rgb8 or bgr8", None),
    "wait_for_subscribers": (
        1,
        "subscribers that each topic needs before the first frame",
        (0, 99),
    ),
    "wait_for_node": (
        "",
        "lifecycle node to be active before the first frame; empty: none",
        None,
    ),
    "wait_timeout": (
        0.0,
        "seconds to wait before giving up; 0: wait for ever",
        (0.0, 3600.0),
    ),
    "announce": (
        False,
        "print a JSON line per published frame on standard output",
        None,
    ),
}


class Replay(Node):
    """Publishes frames at ``rate`` once its listeners are there.

    Args:
        sequence: what to play; None loads the one that the parameter names.

    Attributes:
        finished: resolves to the exit status after the last frame, or when nobody came to listen.

    Raises:
        OSError, ValueError: the sequence cannot be read, or a parameter cannot be used.
    """

    def __init__(self, sequence: DemoSequence | None = None, **node_options: Any) -> None:
        super().__init__("replay", **node_options)
        self._declare_parameters()
        self._sequence = sequence or _load(self._value("sequence"))
        self.finished: Future = Future()
        self._index = 0
        self._outputs = {
            topic: self.create_publisher(
                kind,
                topic,
                qos_profile_sensor_data,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for topic, kind in TOPICS.items()
        }
        awaited = self._value("wait_for_node")
        self._state_client = (
            self.create_client(GetState, f"{awaited}/get_state") if awaited else None
        )
        self._state_answer: Future | None = None
        self._node_is_active = not awaited
        self._started = time.monotonic()
        self._matched_at: float | None = None
        self._timer = self.create_timer(_POLL, self._wait)

    def _declare_parameters(self) -> None:
        for name, (default, text, bounds) in _PARAMETERS.items():
            descriptor = ParameterDescriptor(description=text, read_only=True)
            if bounds and isinstance(default, int):
                low, high = bounds
                descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
            elif bounds:
                low, high = bounds
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=low, to_value=high)
                ]
            self.declare_parameter(name, default, descriptor)
        encoding = self._value("encoding")
        if encoding not in ("rgb8", "bgr8"):
            raise ValueError(f"encoding '{encoding}' cannot be replayed: use rgb8 or bgr8")

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _wait(self) -> None:
        """Start publishing as soon as every topic is matched and the awaited node is active."""
        wanted, timeout = (
            self._value("wait_for_subscribers"),
            self._value("wait_timeout"),
        )
        self._node_is_active = self._node_is_active or self._asked_node_is_active()
        if self._node_is_active and self._is_settled(wanted):
            self._timer.cancel()
            self._announce(event="started", frames=len(self._sequence.frames))
            self._timer = self.create_timer(1.0 / self._value("rate"), self._publish_next)
        elif timeout and time.monotonic() - self._started > timeout:
            self._timer.cancel()
            self._give_up(wanted, timeout)

    def _is_settled(self, wanted: int) -> bool:
        """Whether every topic has had its listeners for a moment."""
        matched = all(p.get_subscription_count() >= wanted for p in self._outputs.values())
        if not matched:
            self._matched_at = None
            return False
        self._matched_at = self._matched_at or time.monotonic()
        return wanted == 0 or time.monotonic() - self._matched_at > _SETTLE

    def _asked_node_is_active(self) -> bool:
        """Ask the awaited node for its state; the answer is seen one call later, nothing blocks."""
        answer, client = self._state_answer, self._state_client
        if answer is not None and answer.done():
            self._state_answer = None
            return answer.result().current_state.id == State.PRIMARY_STATE_ACTIVE
        if answer is None and client.service_is_ready():
            self._state_answer = client.call_async(GetState.Request())
        return False

    def _give_up(self, wanted: int, timeout: float) -> None:
        counts = ", ".join(
            f"{topic} {publisher.get_subscription_count()}"
            for topic, publisher in self._outputs.items()
        )
        node = self._value("wait_for_node")
        asleep = "" if self._node_is_active else f"node '{node}' is not active; "
        self.get_logger().error(
            f"gave up after {timeout:g} s: {asleep}subscribers: {counts}; "
            f"parameter wait_for_subscribers asks for {wanted} each"
        )
        self.finished.set_result(EXIT_NOBODY_LISTENS)

    def _publish_next(self) -> None:
        frame, encoding = self._sequence.frames[self._index], self._value("encoding")
        image = frame.image  # decoded before the stamp: a camera's latency is not ours to show
        pixels = image if encoding == "rgb8" else image[..., ::-1]
        stamp = self.get_clock().now()
        header = Header(stamp=stamp.to_msg(), frame_id=self._value("frame_id"))
        # The image goes last: when it arrives, everything it needs is there.
        calibration = Calibration.of(self._sequence.camera)
        self._outputs["camera_info"].publish(write_camera_info(header, calibration))
        confidence = dict.fromkeys(SIDES, 1.0)
        self._outputs["keypoints"].publish(write_keypoints(header, frame.keypoints, confidence))
        self._outputs["image"].publish(write_image(header, pixels, encoding))
        self._announce(event="frame", frame=self._index, stamp_ns=stamp.nanoseconds)
        self._index = (self._index + 1) % len(self._sequence.frames)
        if self._index == 0 and not self._value("loop"):
            self._timer.cancel()
            self._timer = self.create_timer(_LINGER, self._finish)

    def _finish(self) -> None:
        self._timer.cancel()
        self._announce(event="finished")
        self.finished.set_result(0)

    def _announce(self, **event: object) -> None:
        if self._value("announce"):
            print(json.dumps(event), flush=True)


def _load(path: str) -> DemoSequence:
    from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

    return load_demo_sequence(path) if path else load_demo_sequence()


def main(args: list[str] | None = None, sequence: DemoSequence | None = None) -> int:
    """Run the node until its sequence ends, or for ever with ``loop``; returns the exit status."""
    try:
        rclpy.init(args=args)
        node = Replay(sequence)
        rclpy.spin_until_future_complete(node, node.finished)
        return node.finished.result() if node.finished.done() else 0
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (OSError, ValueError, ParameterException) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
