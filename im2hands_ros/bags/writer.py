"""Writes an MCAP bag (rosbag2) of serialised messages. Needs `rosbags`, not ROS.

The bag carries every message definition, ours too, so Foxglove and `rosbags` open it on a machine
that has never seen this package.
"""

from __future__ import annotations

from pathlib import Path

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from im2hands_ros.bags.definitions import standard_types

_NO_LIMIT = QosTime(9223372036, 854775807)  # rosbag2's "infinite"


def _quality(reliable: bool) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        10,
        QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        QosDurability.VOLATILE,
        _NO_LIMIT,
        _NO_LIMIT,
        QosLiveliness.AUTOMATIC,
        _NO_LIMIT,
        False,
    )


class BagWriter:
    """Writes serialised messages into a new bag folder; closing it makes the bag complete."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        # Chunks are compressed inside the MCAP file, which Foxglove and rosbag2 both read.
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[str, Connection] = {}

    def add_topic(
        self, topic: str, message_type: str, *, reliable: bool, types: Typestore | None = None
    ) -> None:
        """Announce a topic; ``message_type`` as in ``sensor_msgs/msg/Image``.

        ``types`` holds its definition; without it, it is one of ROS 2 Jazzy's or ours.
        """
        self._connections[topic] = self._writer.add_connection(
            topic,
            message_type,
            typestore=types or standard_types(),
            offered_qos_profiles=[_quality(reliable)],
        )

    def write(self, topic: str, received_ns: int, cdr: bytes) -> None:
        """Append a serialised message, received at ``received_ns`` (ns since the epoch)."""
        self._writer.write(self._connections[topic], received_ns, cdr)

    def close(self) -> None:
        """Write the index and the metadata."""
        self._writer.close()
