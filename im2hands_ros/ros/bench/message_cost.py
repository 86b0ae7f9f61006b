"""Time to build a frame's large messages: direct serialisation against rclpy's message objects."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from im2hands_ros.messages.markers import draw, write_markers
from im2hands_ros.messages.meshes import write_meshes
from im2hands_ros.messages.occupancy import cloud_points, write_occupancy
from im2hands_ros.msg import HandMeshArray
from im2hands_ros.scene import Hands, HandSurface

_VOXEL_SIZE = 0.005
_REPEATS = 5


def message_times(frame: Hands) -> dict[str, Any]:
    """Median milliseconds to bring a frame's markers, meshes and cloud to bytes, both ways."""
    header, hands = Header(frame_id="camera"), frame.present

    def direct() -> tuple[bytes, bytes, bytes]:
        return (
            write_markers(header, draw(hands, _VOXEL_SIZE)),
            write_meshes(header, hands),
            write_occupancy(header, hands),
        )

    kinds = (MarkerArray, HandMeshArray, PointCloud2)
    filled = [deserialize_message(*each) for each in zip(direct(), kinds, strict=True)]
    rclpy_ms = _median_ms(lambda: _through_rclpy(filled[0], filled[1], filled[2], hands))
    direct_ms = _median_ms(direct)
    return {
        "messages_rclpy_ms": round(rclpy_ms, 2),
        "messages_direct_ms": round(direct_ms, 2),
        "messages_faster": round(rclpy_ms / direct_ms, 1),
    }


def _through_rclpy(
    markers: MarkerArray, meshes: HandMeshArray, cloud: PointCloud2, hands: dict[str, HandSurface]
) -> None:
    """Fill the frame's arrays into message objects, whose other fields are there, and serialise."""
    for marker, drawing in zip(markers.markers, draw(hands, _VOXEL_SIZE), strict=True):
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in np.asarray(drawing.points).tolist()]
    for mesh, (_, surface) in zip(meshes.hands, hands.items(), strict=True):
        mesh.vertices = array.array("f", surface.vertices.astype(np.float32).tobytes())
        mesh.triangles = array.array("I", surface.triangles.astype(np.uint32).tobytes())
    cloud.data = array.array("B", cloud_points(hands).tobytes())
    for message in (markers, meshes, cloud):
        serialize_message(message)


def _median_ms(work: Callable[[], object]) -> float:
    work()  # the first one compiles layouts
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times))
