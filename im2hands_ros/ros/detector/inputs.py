"""The detector's inputs: images with their calibration and, where there is one, depth image."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.detector.settings import DetectorSettings
from im2hands_ros.ros.image_inputs import ImageInputs

_DEPTH_ALIVE = 1.0  # seconds after a depth image in which images wait for theirs
_WAITING = 3  # images that wait for theirs; at 30 Hz a tenth of a second
_PATIENCE = 1.0  # seconds that the last image waits when no message comes any more


@dataclass(frozen=True)
class DetectorInput:
    """An image, its calibration, and its depth image if there is one."""

    image: Image | CompressedImage
    camera_info: CameraInfo
    depth: Image | None


class DetectorInputs(ImageInputs[DetectorSettings]):
    """Subscribes and delivers images with depth; one whose depth image never comes goes without.

    Args:
        node: owns the subscriptions and the settings.
        has_subscribers: whether anybody would receive a result; if not, images are dropped.
        deliver: called with each input, on the executor's thread.

    Raises:
        RuntimeError: a QoS override that is none.
    """

    def __init__(
        self,
        node: BaseNode[DetectorSettings],
        has_subscribers: Callable[[], bool],
        deliver: Callable[[DetectorInput], None],
    ) -> None:
        self._deliver = deliver
        self._images: deque[Image | CompressedImage] = deque()
        self._depths: deque[Image] = deque(maxlen=_WAITING)
        self._last_depth = -float("inf")
        # Of a clock that never stands still, as simulated time does.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._deadline = node.create_timer(_PATIENCE, self._on_deadline, clock=clock)
        self._deadline.cancel()
        super().__init__(node, node.settings.image_transport, has_subscribers)
        if node.settings.use_depth:
            self.subscribe("depth", "depth", Image, self._on_depth)

    def take_image(self, image: Image | CompressedImage) -> None:
        """Deliver an image at once, or when its depth image is there."""
        camera_info = self.known_camera_info()
        if camera_info is None:
            return
        if time.monotonic() - self._last_depth > _DEPTH_ALIVE:
            self._images.clear()
            self._deliver(DetectorInput(image, camera_info, None))
            return
        self._images.append(image)
        self._deadline.reset()
        for depth in self._depths:
            if self._fit(image, depth):
                self._deliver_with_depth(image, depth)
                return
        if len(self._images) > _WAITING:
            self._deliver_without_depth(camera_info)

    def _on_depth(self, message: Image) -> None:
        self.node.health.receive("depth")
        self._last_depth = time.monotonic()
        self._depths.append(message)
        for image in self._images:
            if self._fit(image, message):
                self._deliver_with_depth(image, message)
                return

    def close(self) -> None:
        """End the subscriptions and the waiting."""
        super().close()
        self.node.destroy_timer(self._deadline)

    def _on_deadline(self) -> None:
        """No image has come for a while: the last one goes without its depth image."""
        self._deadline.cancel()
        camera_info = self.known_camera_info() if self._images else None
        if camera_info is None:
            return
        while len(self._images) > 1:
            self._images.popleft()
            self.node.health.drop("overwritten")
        self._deliver_without_depth(camera_info)

    def _fit(self, image: Image | CompressedImage, depth: Image) -> bool:
        gap = abs(_seconds(image.header.stamp) - _seconds(depth.header.stamp))
        return gap <= self.node.settings.depth_slop

    def _deliver_with_depth(self, image: Image | CompressedImage, depth: Image) -> None:
        """Deliver a pair; images before it are too old to be of use."""
        while self._images and self._images.popleft() is not image:
            self.node.health.drop("overwritten")
        camera_info = self.known_camera_info()
        if camera_info is not None:
            self._deliver(DetectorInput(image, camera_info, depth))

    def _deliver_without_depth(self, camera_info: CameraInfo) -> None:
        self._deliver(DetectorInput(self._images.popleft(), camera_info, None))
        self.node.warn_throttled(
            "no_depth",
            f"{self.topics['depth']}: no depth image within {self.node.settings.depth_slop} s of "
            "an image: publish them with the image's stamp, raise depth_slop, or set use_depth to "
            "false",
        )


def _seconds(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec / 1e9
