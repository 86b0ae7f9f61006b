"""The node's publishers: each kind of result only while it is subscribed to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from std_msgs.msg import Header

from im2hands_ros.messages.results import Messages, ResultEncoder
from im2hands_ros.messages.wrist_poses import PosedHand
from im2hands_ros.ros.base_node import ManagedNode
from im2hands_ros.ros.collisions import collisions_for
from im2hands_ros.ros.endpoints import ResultPublisher
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.topics import OUTPUTS, POSES, SURFACES
from im2hands_ros.ros.transforms import transforms_for
from im2hands_ros.scene import Hands


class Outputs:
    """All results' publishers, and which markers viewers show now. Thread-safe."""

    def __init__(self, node: ManagedNode[Settings], settings: Settings) -> None:
        self._results = {
            f"/{topic}": ResultPublisher(node, kind, topic) for topic, kind in OUTPUTS.items()
        }
        self._transforms = transforms_for(node) if settings.publish_tf else None
        self._collisions = collisions_for(node) if settings.publish_collision_objects else None
        self._surfaces = [self._results[f"/{topic}"] for topic in SURFACES]
        if self._collisions is not None:
            self._surfaces.append(self._collisions.publisher)
        self._all = [*self._surfaces, *(self._results[f"/{topic}"] for topic in POSES)]
        self._encoder = ResultEncoder()
        self._lock = threading.Lock()
        self._open = False
        self._header = Header()
        self._published_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether results may be published."""
        return self._open

    def open(self) -> None:
        """Let results through."""
        with self._lock:
            self._open = True

    def close(self) -> None:
        """Take the hands from view and let nothing through."""
        with self._lock:
            self._withdraw()
            self._open = False

    def wait_until_received(self, timeout: float) -> None:
        """Wait until reliable subscribers of surfaces have all messages, seconds at most."""
        ends = time.monotonic() + timeout
        for publisher in self._surfaces:
            publisher.wait_until_received(ends - time.monotonic())

    def destroy(self) -> None:
        """Give the publishers back."""
        if self._transforms is not None:
            self._transforms.destroy()
        for publisher in self._all:
            publisher.destroy()

    def subscriber_count(self) -> int:
        """How many have subscribed to a result."""
        return sum(each.subscriber_count for each in self._all)

    def has_subscribers(self) -> bool:
        """Whether anybody has subscribed to a result."""
        return self.subscriber_count() > 0 or (
            self._transforms is not None and self._transforms.subscribed
        )

    def has_surface_subscribers(self) -> bool:
        """Whether anybody has subscribed to more than keypoints and poses."""
        return any(each.subscriber_count for each in self._surfaces)

    def publish(
        self,
        header: Header,
        hands: Mapping[str, PosedHand],
        surfaces: Hands | None,
        settings: Settings,
    ) -> bool:
        """Publish a frame's hands under the image's header; False if closed or not subscribed to.

        Args:
            header: the image's.
            hands: keypoints and confidence of the sides that are there.
            surfaces: of the same hands; None where the frame was not taken so far.
            settings: how they are drawn.
        """
        with self._lock:
            if not (self._open and self.has_subscribers()):
                return False
            subscribed = {name for name, each in self._results.items() if each.subscriber_count}
            # Poses first: a robot that follows a hand needs them soonest.
            if self._transforms is None:
                self._send(self._encoder.poses(header, hands, subscribed))
            else:
                self._send(self._encoder.poses(header, hands, subscribed | {"/tf"}))
                self._transforms.publish(header, self._encoder.wrists)
            if surfaces is not None:
                size, smooth = settings.occupancy_voxel_size, settings.smooth_markers
                self._send(self._encoder.surfaces(header, surfaces, size, subscribed, smooth))
                if self._collisions is not None:
                    self._collisions.publish(header, surfaces)
            self._header, self._published_at = header, time.monotonic()
            return True

    def expire(self) -> None:
        """Take the hands from view when no frame came for as long as markers live."""
        with self._lock:
            if time.monotonic() - self._published_at > self._encoder.lifetime:
                self._withdraw()

    def _send(self, messages: Messages) -> None:
        for topic, data in messages:
            self._results[topic].publish(data)

    def _withdraw(self) -> None:
        self._send(self._encoder.withdraw(self._header))
        if self._collisions is not None:
            self._collisions.withdraw(self._header)
