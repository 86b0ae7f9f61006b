"""MCAP bags (rosbag2) of the node's inputs and outputs: written serialised, read back as fields.

Needs `rosbags`, not ROS. The bag carries every message definition, ours too, so Foxglove and
`rosbags` open it on a machine that has never seen this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import (
    CompressionFormat,
    CompressionMode,
    Reader,
    StoragePlugin,
    Writer,
)
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.messages.header import nanoseconds

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


@dataclass(frozen=True)
class Received:
    """One message of a bag: its topic, when it was received, its header's stamp, and its fields."""

    topic: str
    received_ns: int
    stamp_ns: int
    message: Any


class BagReader:
    """Reads a bag by the definitions it carries. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self._store = get_typestore(Stores.EMPTY)

    def __enter__(self) -> BagReader:
        self._reader.open()
        for connection in self._reader.connections:
            types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            known = self._store.fielddefs
            self._store.register(
                {name: value for name, value in types.items() if name not in known}
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def count(self, topic: str) -> int:
        """How many messages of ``topic`` the bag holds."""
        return sum(c.msgcount for c in self._reader.connections if c.topic == topic)

    def messages(self, *topics: str) -> Iterator[Received]:
        """The messages of ``topics`` (all without any) in the order of their reception."""
        wanted = [c for c in self._reader.connections if not topics or c.topic in topics]
        for connection, received_ns, raw in self._reader.messages(wanted) if wanted else ():
            message = self._store.deserialize_cdr(raw, connection.msgtype)
            yield Received(connection.topic, received_ns, _stamp_of(message), message)


def _stamp_of(message: Any) -> int:
    header = getattr(message, "header", None)
    return 0 if header is None else nanoseconds(header.stamp)
