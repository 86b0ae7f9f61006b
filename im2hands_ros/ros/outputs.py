"""The node's voice: each kind of result only while somebody listens to it."""

from __future__ import annotations

import threading
import time
from typing import Any

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from im2hands_ros.messages.arrays import cloud_points
from im2hands_ros.messages.markers import LIFETIME, draw
from im2hands_ros.msg import HandMeshArray
from im2hands_ros.ros.cdr import cloud_bytes, marker_array_bytes, mesh_array_bytes
from im2hands_ros.ros.collisions import collisions_for
from im2hands_ros.ros.endpoints import Complain, Output
from im2hands_ros.ros.parameters import Settings
from im2hands_ros.ros.poses import Poses


class Outputs:
    """All results' publishers, and which markers viewers show now. Thread-safe."""

    def __init__(self, node: LifecycleNode, settings: Settings, complain: Complain) -> None:
        self._markers = Output(node, MarkerArray, "markers", complain)
        self._meshes = Output(node, HandMeshArray, "meshes", complain)
        self._occupancy = Output(node, PointCloud2, "occupancy", complain)
        self._poses = Poses(node, complain, settings.publish_tf)
        self._collisions = (
            collisions_for(node, complain) if settings.publish_collision_objects else None
        )
        self._surfaces = [self._markers, self._meshes, self._occupancy]
        if self._collisions is not None:
            self._surfaces.append(self._collisions.output)
        self._all = [*self._surfaces, *self._poses.outputs]
        self._lock = threading.Lock()
        self._open = False
        self._shown: tuple[tuple[str, int], ...] = ()
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

    def destroy(self) -> None:
        """Give the publishers back."""
        self._poses.destroy()
        for output in self._all:
            output.destroy()

    def subscribers(self) -> int:
        """How many have subscribed to a result."""
        return sum(output.listeners for output in self._all)

    def wanted(self) -> bool:
        """Whether anybody has subscribed to a result."""
        return self.subscribers() > 0 or self._poses.wanted_as_transforms

    def wants_surfaces(self) -> bool:
        """Whether anybody has subscribed to more than keypoints and poses."""
        return any(output.listeners for output in self._surfaces)

    def publish(self, header: Header, hands: Any, voxel_size: float) -> bool:
        """Publish a frame's hands under the image's header; False if closed or nobody listens.

        Args:
            header: the image's.
            hands: `left` and `right`: HandSurface or None; `keypoints` are enough where nobody
                wants surfaces.
            voxel_size: side of the drawn voxels, metres.
        """
        with self._lock:
            if not (self._open and self.wanted()):
                return False
            self._poses.publish(header, hands)  # first: whoever steers a robot cannot wait
            if self._meshes.listeners:
                self._meshes.publish(mesh_array_bytes(header, hands))
            if self._occupancy.listeners:
                self._occupancy.publish(cloud_bytes(header, cloud_points(hands)))
            if self._markers.listeners:
                self._publish_markers(header, hands, voxel_size)
            if self._collisions is not None:
                self._collisions.publish(header, hands)
            self._header, self._published_at = header, time.monotonic()
            return True

    def expire(self) -> None:
        """Take the hands from view when no frame came for as long as markers live."""
        with self._lock:
            if time.monotonic() - self._published_at > LIFETIME:
                self._withdraw()

    def _publish_markers(self, header: Header, hands: Any, voxel_size: float) -> None:
        drawings = draw(hands, voxel_size)
        shown = tuple(drawing.style.key for drawing in drawings)
        lost = tuple(key for key in self._shown if key not in shown)
        if drawings or lost:
            self._markers.publish(marker_array_bytes(header, drawings, lost))
        self._shown = shown

    def _withdraw(self) -> None:
        if self._shown:
            self._markers.publish(marker_array_bytes(self._header, (), self._shown))
        self._shown = ()
        if self._collisions is not None:
            self._collisions.withdraw(self._header)
