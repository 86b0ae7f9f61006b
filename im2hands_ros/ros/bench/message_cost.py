"""Time to build a frame's messages: spliced bytes against filled and serialised messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from im2hands_ros.messages.arrays import cloud_points
from im2hands_ros.messages.markers import draw
from im2hands_ros.ros.cdr import cloud_bytes, marker_array_bytes, mesh_array_bytes
from im2hands_ros.ros.messages import cloud_message, marker_array_message, mesh_array_message

_VOXEL_SIZE = 0.005
_REPEATS = 5


def message_times(hands: Any) -> dict[str, Any]:
    """Median milliseconds to bring a frame's markers, meshes and cloud to bytes, both ways."""
    header = Header(frame_id="camera")

    def plain() -> None:
        serialize_message(marker_array_message(header, draw(hands, _VOXEL_SIZE)))
        serialize_message(mesh_array_message(header, hands))
        serialize_message(cloud_message(header, cloud_points(hands)))

    def spliced() -> None:
        marker_array_bytes(header, draw(hands, _VOXEL_SIZE))
        mesh_array_bytes(header, hands)
        cloud_bytes(header, cloud_points(hands))

    plain_ms, spliced_ms = _median_ms(plain), _median_ms(spliced)
    return {
        "messages_plain_ms": round(plain_ms, 2),
        "messages_spliced_ms": round(spliced_ms, 2),
        "messages_faster": round(plain_ms / spliced_ms, 1),
    }


def _median_ms(work: Callable[[], None]) -> float:
    work()  # templates are made on first use
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times))
