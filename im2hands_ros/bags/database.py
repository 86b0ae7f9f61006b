"""Messages of an sqlite3 bag straight from its tables, where rosbags does not open it.

Recorders that do not find a type's definition call it "unknown", and some releases and tools leave
the table of definitions out: the messages are whole all the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from im2hands_ros.bags.definitions import Topic, full_type
from im2hands_ros.bags.salvage import RawMessage

_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")
_COUNTED = """select name, type, count(messages.id), min(timestamp), max(timestamp)
    from topics left join messages on topic_id = topics.id group by topics.id"""
_CHOSEN = """select name, timestamp, data from messages join topics on topics.id = topic_id
    where timestamp >= ? and timestamp < ? order by timestamp, messages.id"""


class Database:
    """The tables `topics` and `messages`, which have been the same since rosbag2 began.

    Attributes: as `storage.StorageFile`'s.

    Raises:
        sqlite3.Error: they cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connect()) as connection:
            rows = connection.execute(_COUNTED).fetchall()
        self.topics = [
            Topic(name, full_type(kind), count, _NO_DEFINITION) for name, kind, count, *_ in rows
        ]
        times: list[int] = [
            time for *_, first, last in rows for time in (first, last) if time is not None
        ]
        self.start_ns = min(times, default=0)
        self.end_ns = max(times, default=-1) + 1

    def messages(self, names: Collection[str], start_ns: int, end_ns: int) -> Iterator[RawMessage]:
        """The messages of these topics received in [start_ns, end_ns)."""
        with closing(self._connect()) as connection:
            for name, received_ns, data in connection.execute(_CHOSEN, (start_ns, end_ns)):
                if name in names:
                    yield RawMessage(name, received_ns, bytes(data))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True)
