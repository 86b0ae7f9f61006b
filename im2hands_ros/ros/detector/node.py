"""Node `im2hands_detector`: images in, coarse 3D keypoints of both hands out.

Publishes `keypoints` (im2hands_ros/HandKeypoints) for every image that it processes, also when
there is no hand in it. `im2hands_ros.detection` finds the hands and places them in metres.
Newest image wins: one that comes while the last is in work waits, and the next one takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import NoReturn

import numpy as np
import rclpy

from im2hands_ros.bad_input import BadInput
from im2hands_ros.camera import lens_problem
from im2hands_ros.detection.detector import DetectedHand, HandDetector
from im2hands_ros.messages.camera_info import camera_from_info
from im2hands_ros.messages.images import read_depth, read_image
from im2hands_ros.messages.keypoints import write_keypoints
from im2hands_ros.msg import HandKeypoints
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.collection import leave_out_of_collection
from im2hands_ros.ros.detector.inputs import DetectorInput, DetectorInputs
from im2hands_ros.ros.detector.settings import DetectorSettings
from im2hands_ros.ros.image_inputs import report_failure
from im2hands_ros.ros.process import run_process
from im2hands_ros.ros.qos import OVERRIDING, RESULTS
from im2hands_ros.ros.worker import Worker

DetectorLoader = Callable[[DetectorSettings], HandDetector]

_STOP_TIMEOUT = 1.0  # seconds a frame in work may take to finish


def load_detector(settings: DetectorSettings) -> HandDetector:
    """The packaged detector as the settings say.

    Raises:
        FileNotFoundError, ValueError: its weights are not there, or damaged.
    """
    return HandDetector.load(search=settings.look_again)


class DetectorNode(BaseNode[DetectorSettings]):
    """Publishes where the hands are in each image.

    Args:
        load: makes the detector from the settings, on the thread that will use it.
        options: passed to rclpy's node.
    """

    def __init__(self, load: DetectorLoader = load_detector, **options: object) -> None:
        super().__init__("im2hands_detector", DetectorSettings, **options)
        self._load = load
        self._publisher = self.create_publisher(
            HandKeypoints, "keypoints", copy(RESULTS), qos_overriding_options=OVERRIDING
        )
        self._worker: Worker[HandDetector, DetectorInput] = Worker(
            self._set_up, self._process, lambda: None, self._on_error
        )
        self._inputs: DetectorInputs | None = None
        self.start_diagnostics()

    def start(self) -> bool:
        """Load the detector and subscribe; whether that worked."""
        try:
            self._worker.start(cancelled=lambda: not rclpy.ok(context=self.context))
            self._inputs = DetectorInputs(self, self._has_subscribers, self._deliver)
        except Exception as error:  # noqa: BLE001 - whatever loading raised, it ends here
            if rclpy.ok(context=self.context):
                self.get_logger().error(f"cannot start: {error}")
            return False
        topics = ", ".join(f"{name} on {topic}" for name, topic in self._inputs.topics.items())
        self.get_logger().info(f"active: {topics}; keypoints to {self._publisher.topic_name}")
        return True

    def close(self) -> None:
        """Stop everything."""
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        self._worker.stop(_STOP_TIMEOUT)

    # On the executor's thread

    @property
    def _image_topic(self) -> str:
        return self._inputs.topics["image"] if self._inputs is not None else ""

    def _deliver(self, received: DetectorInput) -> None:
        if self._worker.post(received):
            self.health.drop("overwritten")

    def _has_subscribers(self) -> bool:
        return self._publisher.get_subscription_count() > 0

    def expected_inputs(self) -> dict[str, str]:
        """Inputs that should come now, name -> full topic name."""
        if self._inputs is None or not self._has_subscribers():
            return {}
        return {name: topic for name, topic in self._inputs.topics.items() if name != "depth"}

    def describe(self) -> dict[str, str]:
        """Subscribers, for the diagnostics."""
        return {"subscribers": str(self._publisher.get_subscription_count())}

    # On the worker's thread

    def _set_up(self) -> HandDetector:
        detector = self._load(self.settings)
        leave_out_of_collection()
        return detector

    def _process(self, detector: HandDetector, received: DetectorInput) -> None:
        """Decode, detect, publish.

        Raises:
            BadInput: an image or calibration that cannot be used.
            Exception: whatever the detector raised.
        """
        settings, stamp = self.settings, received.image.header.stamp
        with self.health.stage("frame"):
            with self.health.stage("decode"):
                image = read_image(received.image)
                camera = camera_from_info(
                    received.camera_info, image.shape[1::-1], self._image_topic
                )
                depth = self._depth_of(received, image)
            if problem := lens_problem(camera):
                self.warn_throttled("lens", problem)
            with self.health.stage("detect"):
                hands = detector.detect(
                    image,
                    camera,
                    depth,
                    stamp=stamp.sec + stamp.nanosec / 1e9,
                    palm_length=settings.palm_length,
                    mirrored=settings.mirrored_image,
                )
            self._publish(received, hands)

    def _depth_of(self, received: DetectorInput, image: np.ndarray) -> np.ndarray | None:
        """The depth in metres, or None without a depth image that can be used."""
        if received.depth is None:
            return None
        try:
            depth = read_depth(received.depth)
            if depth.shape != image.shape[:2]:
                sizes = ["{}x{}".format(*each.shape[1::-1]) for each in (depth, image)]
                raise BadInput(
                    "depth_size",
                    f"the depth image is {sizes[0]} but the image is {sizes[1]}: publish depth "
                    "that is registered to the colour camera",
                )
        except BadInput as problem:
            if self._inputs is not None:
                self._inputs.refuse("depth", problem)
            return None
        return depth

    def _publish(self, received: DetectorInput, hands: dict[str, DetectedHand | None]) -> None:
        header = received.image.header
        found = {side: hand for side, hand in hands.items() if hand is not None}
        with self.health.stage("publish"):
            message = write_keypoints(
                header,
                {side: hand.keypoints for side, hand in found.items()},
                {side: hand.confidence for side, hand in found.items()},
            )
            self._publisher.publish(message)
        self.count_published(header.stamp)

    def _on_error(self, error: Exception) -> None:
        report_failure(self, self._inputs, error)


def main(args: Sequence[str] | None = None, load: DetectorLoader = load_detector) -> NoReturn:
    """Run the node until SIGINT or SIGTERM, then end the process; see `run_process`."""
    run_process(lambda: DetectorNode(load), args)


if __name__ == "__main__":
    main()
