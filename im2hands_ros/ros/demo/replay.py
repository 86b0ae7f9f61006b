"""Node ``replay``: plays the demo sequence as a camera and a hand tracker would publish it.

Publishes ``image`` (sensor_msgs/Image), ``camera_info`` (sensor_msgs/CameraInfo) and ``keypoints``
(im2hands_ros/HandKeypoints), reliably, with one stamp per frame, in frame ``frame_id``. It
holds its frames back until somebody has subscribed, so that a recording starts at the first frame.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import rclpy
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.task import Future
from std_msgs.msg import Header

from im2hands_ros.messages.camera_info import Calibration, write_camera_info
from im2hands_ros.messages.images import write_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.demo.settings import DemoReplaySettings
from im2hands_ros.ros.node_state import NodeState
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.topics import INPUTS
from im2hands_ros.skeleton import SIDES

if TYPE_CHECKING:
    from im2hands_ros.synthetic.demo_sequence import DemoSequence

EXIT_NO_SUBSCRIBERS = 3
_POLL = 0.05  # seconds between two checks of the subscriptions
_SETTLE = 0.5  # seconds: a subscriber found here may not have found us yet, and would miss a frame
_LINGER = 0.5  # seconds that the last frame is given to leave before its publisher goes

# Reliable: before RViz has read its settings, it asks for that, and else warns.
RELIABLE = QoSProfile(depth=5)


class ReplayNode(BaseNode[DemoReplaySettings]):
    """Publishes frames at ``rate`` once its subscribers are there.

    Args:
        sequence: what to play; None loads the one that the parameter names.
        options: passed to rclpy's node.

    Attributes:
        finished: resolves to the exit status after the last frame, or when no subscribers came.

    Raises:
        OSError, ValueError: the sequence cannot be read, or a parameter cannot be used.
    """

    def __init__(self, sequence: DemoSequence | None = None, **options: Any) -> None:
        super().__init__("replay", DemoReplaySettings, **options)
        self._sequence = sequence or _load(self.settings.sequence)
        self.finished: Future = Future()
        self._index = 0
        self._outputs = {
            topic: self.create_publisher(
                kind,
                topic,
                RELIABLE,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for topic, kind in INPUTS.items()
        }
        self._node_state = NodeState(self, self.settings.wait_for_node)
        self._started = time.monotonic()
        self._matched_at: float | None = None
        self._timer = self.create_timer(_POLL, self._wait)

    def start(self) -> bool:
        """End the process when the sequence has ended."""
        self.finished.add_done_callback(self._end_process)
        return True

    def _end_process(self, finished: Future) -> None:
        self.exit_status = finished.result()
        rclpy.try_shutdown(context=self.context)

    def _wait(self) -> None:
        """Start when every topic has its subscribers and the awaited node is active."""
        settings = self.settings
        if self._node_state.is_active() and self._is_settled(settings.wait_for_subscribers):
            self._timer.cancel()
            self._announce(event="started", frames=len(self._sequence.frames))
            self._timer = self.create_timer(1.0 / settings.rate, self._publish_next)
        elif settings.wait_timeout and time.monotonic() - self._started > settings.wait_timeout:
            self._timer.cancel()
            self._give_up()

    def _is_settled(self, count: int) -> bool:
        """Whether every topic has had so many subscribers for a moment."""
        if any(each.get_subscription_count() < count for each in self._outputs.values()):
            self._matched_at = None
            return False
        self._matched_at = self._matched_at or time.monotonic()
        return count == 0 or time.monotonic() - self._matched_at > _SETTLE

    def _give_up(self) -> None:
        settings = self.settings
        counts = ", ".join(
            f"{topic} {publisher.get_subscription_count()}"
            for topic, publisher in self._outputs.items()
        )
        inactive = f"node '{settings.wait_for_node}' is not active; "
        self.get_logger().error(
            f"gave up after {settings.wait_timeout:g} s: "
            f"{'' if self._node_state.is_active() else inactive}subscribers: {counts}; "
            f"parameter wait_for_subscribers asks for {settings.wait_for_subscribers} each"
        )
        self.finished.set_result(EXIT_NO_SUBSCRIBERS)

    def _publish_next(self) -> None:
        frame, encoding = self._sequence.frames[self._index], self.settings.encoding
        image = frame.image  # decoded before the stamp: a camera's latency is not part of it
        pixels = image if encoding == "rgb8" else image[..., ::-1]
        stamp = self.get_clock().now()
        header = Header(stamp=stamp.to_msg(), frame_id=self.settings.frame_id)
        # The image goes last: when it arrives, everything it needs is there.
        calibration = Calibration.of(self._sequence.camera)
        self._outputs["camera_info"].publish(write_camera_info(header, calibration))
        confidence = dict.fromkeys(SIDES, 1.0)
        self._outputs["keypoints"].publish(write_keypoints(header, frame.keypoints, confidence))
        self._outputs["image"].publish(write_image(header, pixels, encoding))
        self._announce(event="frame", frame=self._index, stamp_ns=stamp.nanoseconds)
        self._index = (self._index + 1) % len(self._sequence.frames)
        if self._index == 0 and not self.settings.loop:
            self._timer.cancel()
            self._timer = self.create_timer(_LINGER, self._finish)

    def _finish(self) -> None:
        self._timer.cancel()
        self._announce(event="finished")
        self.finished.set_result(0)

    def _announce(self, **event: object) -> None:
        if self.settings.announce:
            print(json.dumps(event), flush=True)


def _load(path: str) -> DemoSequence:
    from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

    return load_demo_sequence(path) if path else load_demo_sequence()


def main(args: Sequence[str] | None = None, sequence: DemoSequence | None = None) -> NoReturn:
    """Run the node until its sequence ends, for ever with ``loop``; see `run_process`."""
    run_process(lambda: ReplayNode(sequence), args)


if __name__ == "__main__":
    main()
