"""The hands as obstacles for MoveIt, where moveit_msgs is installed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion
from shape_msgs.msg import Mesh, MeshTriangle
from std_msgs.msg import Header

from im2hands_ros.ros.base_node import ManagedNode
from im2hands_ros.ros.endpoints import ResultPublisher
from im2hands_ros.scene import Hands
from im2hands_ros.surface.simplify import simplify

MOST_FACES = 500
_PERIOD = 0.2  # seconds between two updates of a planning scene


class Collisions:
    """Publishes `left_hand` and `right_hand` as collision objects and removes them when lost.

    Args:
        kind: moveit_msgs' CollisionObject.
        publisher: sends them.
    """

    def __init__(self, kind: Any, publisher: ResultPublisher) -> None:
        self._kind, self.publisher = kind, publisher
        self._shown: set[str] = set()
        self._published_at = -_PERIOD

    def publish(self, header: Header, hands: Hands) -> None:
        """Publish the hands if it is time to; a lost hand is removed at once."""
        surfaces = hands.present
        self._remove(header, self._shown - surfaces.keys())
        now = time.monotonic()
        if now - self._published_at < _PERIOD or not self.publisher.subscriber_count:
            return
        self._published_at = now
        for side, surface in surfaces.items():
            mesh = _mesh(*simplify(surface.vertices, surface.triangles, MOST_FACES))
            self._send(header, side, self._kind.ADD, [mesh])
        self._shown |= surfaces.keys()

    def withdraw(self, header: Header) -> None:
        """Remove both hands."""
        self._remove(header, set(self._shown))

    def _remove(self, header: Header, sides: set[str]) -> None:
        for side in sorted(sides):
            self._send(header, side, self._kind.REMOVE, [])
        self._shown -= sides

    def _send(self, header: Header, side: str, operation: Any, meshes: list[Mesh]) -> None:
        message = self._kind(header=header, id=f"{side}_hand", operation=operation, meshes=meshes)
        message.mesh_poses = [Pose(orientation=Quaternion(w=1.0)) for _ in meshes]
        message.pose.orientation.w = 1.0
        self.publisher.publish(message)


def collisions_for(node: ManagedNode) -> Collisions | None:
    """The publisher of collision objects; None, and a line that says why, without moveit_msgs."""
    try:
        from moveit_msgs.msg import CollisionObject
    except ImportError as error:
        node.warn_throttled(
            "moveit_msgs",
            f"publish_collision_objects is set but moveit_msgs cannot be imported ({error}): "
            "install the ROS package moveit_msgs; octomap updaters can take occupancy without it",
        )
        return None
    return Collisions(CollisionObject, ResultPublisher(node, CollisionObject, "collision_object"))


def _mesh(vertices: np.ndarray, triangles: np.ndarray) -> Mesh:
    """(V, 3) metres and (T, 3) vertex numbers as a shape_msgs/Mesh."""
    return Mesh(
        vertices=[Point(x=x, y=y, z=z) for x, y, z in vertices.tolist()],
        triangles=[
            MeshTriangle(vertex_indices=np.asarray(corners, np.uint32)) for corners in triangles
        ],
    )
