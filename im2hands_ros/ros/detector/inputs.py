"""The detector's ears: images with their calibration and, where there is one, their depth image."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from im2hands_ros.bad_input import BadInput
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.detector.settings import DetectorSettings
from im2hands_ros.ros.endpoints import subscribe

_DEPTH_ALIVE = 1.0  # seconds after a depth image in which images wait for theirs
_WAITING = 3  # images that wait for theirs; at 30 Hz a tenth of a second
_CAMERA_INFO_GRACE = 1.0  # seconds: a camera's first image may come before its first camera_info


@dataclass(frozen=True)
class View:
    """An image, its calibration, and its depth image if there is one."""

    image: Image | CompressedImage
    camera_info: CameraInfo
    depth: Image | None


class Views:
    """Subscribes and hands views on; an image whose depth image never comes goes without.

    Args:
        node: owns the subscriptions and the settings.
        wanted: whether anybody would look at a result; if not, nothing is done with what comes.
        deliver: called with each view, on the executor's thread.

    Raises:
        RuntimeError: a QoS override that is none.
    """

    def __init__(
        self,
        node: BaseNode[DetectorSettings],
        wanted: Callable[[], bool],
        deliver: Callable[[View], None],
    ) -> None:
        self._node, self._wanted, self._deliver = node, wanted, deliver
        self._camera_info: CameraInfo | None = None
        self._images: deque[Image | CompressedImage] = deque()
        self._depths: deque[Image] = deque(maxlen=_WAITING)
        self._first_image = self._last_depth = -float("inf")
        compressed = node.settings.image_transport == "compressed"
        image = "image"
        if compressed:  # as image_transport does it: the name follows a remapped `image`
            image = f"{node.resolve_topic_name('image')}/compressed"
        kinds = {
            "camera_info": ("camera_info", CameraInfo, self._on_camera_info),
            "image": (image, CompressedImage if compressed else Image, self._on_image),
        }
        if node.settings.use_depth:
            kinds["depth"] = ("depth", Image, self._on_depth)
        self._subscriptions = {
            name: subscribe(node, kind, topic, callback, node.complain)
            for name, (topic, kind, callback) in kinds.items()
        }

    @property
    def topics(self) -> dict[str, str]:
        """Input name -> full topic name after remapping."""
        return {name: each.topic_name for name, each in self._subscriptions.items()}

    def refuse(self, name: str, problem: BadInput) -> None:
        """Count an input that cannot be used and say once in a while which and why."""
        self._node.health.drop(problem.reason)
        self._node.complain(problem.reason, f"{self.topics[name]}: {problem}")

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._node.health.receive("camera_info")
        self._camera_info = message

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._node.health.receive("image")
        if not self._wanted():
            self._node.health.drop("nobody_subscribed")
            return
        if self._camera_info is None:
            self._miss_camera_info()
            return
        if time.monotonic() - self._last_depth > _DEPTH_ALIVE:
            self._images.clear()
            self._hand_on(message, None)
            return
        self._images.append(message)
        for depth in self._depths:
            if self._fit(message, depth):
                self._complete(message, depth)
                return
        if len(self._images) > _WAITING:
            self._go_without()

    def _on_depth(self, message: Image) -> None:
        self._node.health.receive("depth")
        self._last_depth = time.monotonic()
        self._depths.append(message)
        for image in self._images:
            if self._fit(image, message):
                self._complete(image, message)
                return

    def _fit(self, image: Image | CompressedImage, depth: Image) -> bool:
        gap = abs(_seconds(image.header.stamp) - _seconds(depth.header.stamp))
        return gap <= self._node.settings.depth_slop

    def _complete(self, image: Image | CompressedImage, depth: Image) -> None:
        """Hand a pair on; images before it are too old to be of use."""
        while self._images and self._images.popleft() is not image:
            self._node.health.drop("overwritten")
        self._hand_on(image, depth)

    def _go_without(self) -> None:
        self._hand_on(self._images.popleft(), None)
        self._node.complain(
            "no_depth",
            f"{self.topics['depth']}: no depth image within {self._node.settings.depth_slop} s of "
            "an image: publish them with the image's stamp, raise depth_slop, or set use_depth to "
            "false",
        )

    def _hand_on(self, image: Image | CompressedImage, depth: Image | None) -> None:
        self._deliver(View(image, self._camera_info, depth))

    def _miss_camera_info(self) -> None:
        self._node.health.drop("no_camera_info")
        now = time.monotonic()
        if self._first_image < 0:
            self._first_image = now
        if now - self._first_image > _CAMERA_INFO_GRACE:
            self._node.complain(
                "no_camera_info",
                f"{self.topics['camera_info']}: images come but no camera_info: publish the "
                "camera's calibration there",
            )


def _seconds(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec / 1e9
