"""A storage file of a bag: read by its index while that is sound, else in the order of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path

from rosbags.rosbag2 import Reader

from im2hands_ros.bags.database import Database
from im2hands_ros.bags.definitions import Topic, full_type
from im2hands_ros.bags.salvage import RawMessage, SalvagedMcap

SUFFIXES = (".mcap", ".db3")


class StorageFile:
    """An open .mcap or .db3 file.

    Args:
        path: the file.
        warn: called with what is damaged, a line each.

    Attributes:
        topics: what it holds, counted.
        start_ns, end_ns: reception of the first message and of the last, plus 1.

    Raises:
        ValueError: nothing of it can be read.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path, self._warn = path, warn
        self._reader: Reader | None = None
        self._database: Database | None = None
        self._warn_of_unwritten()
        try:
            self._open()
        except PermissionError:
            raise
        except Exception as error:  # noqa: BLE001 - damage shows as any error of the libraries
            self._salvage(error)

    def messages(self, names: Collection[str], start_ns: int, end_ns: int) -> Iterator[RawMessage]:
        """The messages of these topics received in [start_ns, end_ns)."""
        count = 0
        if self._database is not None:
            yield from self._database.messages(names, start_ns, end_ns)
        if self._reader is not None:
            wanted = [each for each in self._reader.connections if each.topic in names]
            # Without a connection rosbags would give all messages.
            found = self._reader.messages(wanted, start_ns, end_ns) if wanted else iter(())
            try:
                for connection, received_ns, data in found:
                    count += 1
                    yield RawMessage(connection.topic, received_ns, bytes(data))
                return
            except Exception as error:  # noqa: BLE001 - as above
                self._warn_of_damage(count, error)
        if self._path.suffix == ".mcap":
            rest = SalvagedMcap(self._path).messages(names, start_ns, end_ns)
            yield from islice(rest, count, None)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> None:
        reader = Reader(self._path)
        reader.open()
        self._reader = reader
        self.start_ns, self.end_ns = reader.start_time, reader.end_time
        self.topics = [
            Topic(each.topic, full_type(each.msgtype), each.msgcount, each.msgdef)
            for each in reader.connections
        ]

    def _salvage(self, error: Exception) -> None:
        if self._path.suffix == ".db3":
            self._open_tables(error)
            return
        salvaged = SalvagedMcap(self._path)
        salvaged.survey()
        self.topics = salvaged.topics
        self.start_ns, self.end_ns = salvaged.start_ns, salvaged.end_ns
        if salvaged.foreign:
            self._warn(
                f"'{self._path}' holds topics that are no ROS 2 messages and are left out: "
                f"{salvaged.encodings}"
            )
        if salvaged.is_damaged or not salvaged.is_closed:
            self._warn(
                f"'{self._path}' is damaged or was not closed ({reason(error)}): "
                f"{(self.end_ns - self.start_ns) / 1e9:.1f} s of it can be read and are used"
            )

    def _open_tables(self, error: Exception) -> None:
        """A database whose messages are whole, though not its definitions."""
        try:
            found = Database(self._path)
        except sqlite3.Error:
            raise ValueError(
                f"'{self._path}' cannot be read ({reason(error)}): try "
                f"sqlite3 '{self._path}' .recover | sqlite3 recovered.db3"
            ) from error
        self._database, self.topics = found, found.topics
        self.start_ns, self.end_ns = found.start_ns, found.end_ns

    def _warn_of_damage(self, count: int, error: Exception) -> None:
        rest = "is left out" if self._path.suffix == ".db3" else "is read without the index"
        self._warn(
            f"'{self._path}' cannot be read on after {count} messages ({reason(error)}): "
            f"the rest {rest}"
        )

    def _warn_of_unwritten(self) -> None:
        log = self._path.with_name(f"{self._path.name}-wal")
        if log.is_file() and log.stat().st_size:
            self._warn(
                f"'{log}' holds messages that are not in the bag yet and are left out: "
                f"sqlite3 '{self._path}' 'PRAGMA wal_checkpoint' writes them back"
            )


def reason(error: BaseException) -> str:
    """An error's text on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
