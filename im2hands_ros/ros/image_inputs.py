"""Images and their camera_info, as the node and the detector subscribe to them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic

from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.images import check_image
from im2hands_ros.parameter_schema import S
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.endpoints import subscribe
from im2hands_ros.ros.silence import why_silent

# A camera's first image may come just before its first camera_info.
_CAMERA_INFO_GRACE = 1.0


class ImageInputs(ABC, Generic[S]):
    """Subscribes to images and camera_info; what else belongs to an image is the subclass's.

    Args:
        node: owns the subscriptions; counts what comes and what is dropped, and warns.
        transport: parameter image_transport.
        has_subscribers: whether anybody would receive a result; if not, images are dropped.

    Raises:
        RuntimeError: a QoS override that is none.
    """

    def __init__(
        self, node: BaseNode[S], transport: str, has_subscribers: Callable[[], bool]
    ) -> None:
        self.node, self.has_subscribers = node, has_subscribers
        self._camera_info: CameraInfo | None = None
        self._waiting_since: float | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self.subscribe_first()
        self.subscribe("camera_info", "camera_info", CameraInfo, self._on_camera_info)
        if transport == "raw":
            self.subscribe("image", "image", Image, self._on_image)
        else:  # as image_transport does it: the name follows a remapped `image`
            topic = f"{node.resolve_topic_name('image')}/compressed"
            self.subscribe("image", topic, CompressedImage, self._on_image)

    def subscribe(self, name: str, topic: str, kind: type, callback: Callable[[Any], None]) -> None:
        """Add an input; closes all if that cannot be done."""
        try:
            self._subscriptions[name] = subscribe(self.node, kind, topic, callback)
        except Exception:
            self.close()
            raise

    def subscribe_first(self) -> None:
        """Add inputs whose messages are taken before those images that come at the same time."""

    @abstractmethod
    def take_image(self, image: Image | CompressedImage) -> None:
        """Take an image that somebody wants results of."""

    @property
    def topics(self) -> dict[str, str]:
        """Input name -> full topic name after remapping."""
        return {name: each.topic_name for name, each in self._subscriptions.items()}

    def close(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions.values():
            self.node.destroy_subscription(subscription)

    def refuse(self, name: str, problem: BadInput) -> None:
        """Count an input that cannot be used and warn which and why."""
        self.node.health.drop(problem.reason)
        self.node.warn_throttled(problem.reason, f"{self.topics[name]}: {problem}")

    def known_camera_info(self) -> CameraInfo | None:
        """The latest camera_info; None, counted and in time warned of, as long as none came."""
        if self._camera_info is None:
            self.node.health.drop("no_camera_info")
            now = time.monotonic()
            self._waiting_since = self._waiting_since or now
            if now - self._waiting_since > _CAMERA_INFO_GRACE:
                topic = self.topics["camera_info"]
                cause = why_silent(self.node, topic) or "publish the camera's calibration there"
                text = f"{topic}: images come but no camera_info: {cause}"
                self.node.warn_throttled("no_camera_info", text)
        return self._camera_info

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.node.health.receive("camera_info")
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.node.health.receive("image")
        if not self.has_subscribers():
            self.node.health.drop("nobody_subscribed")
            return
        try:
            # A broken image must not take the place of a good one that waits for the worker.
            if isinstance(message, Image):
                check_image(message)
        except BadInput as problem:
            self.refuse("image", problem)
            return
        self.take_image(message)


def report_failure(node: BaseNode, inputs: ImageInputs | None, error: Exception) -> None:
    """Count and log what came of a frame that the worker could not process."""
    if isinstance(error, BadInput) and inputs is not None:
        named = (name for name in inputs.topics if error.reason.startswith(name))
        inputs.refuse(next(named, "image"), error)
        return
    node.health.drop("pipeline_error")
    node.error_throttled("pipeline_error", f"a frame failed: {type(error).__name__}: {error}")
