"""Any rosbag2 as one stream of serialised messages, read piece by piece.

A folder with metadata.yaml, such a folder without it, or one file: MCAP or sqlite3, compressed or
not. A damaged file gives what can be had of it, and a warning.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from backports import zstd
from rosbags.rosbag2 import Reader

from im2hands_ros.bags.definitions import Topic, types_of
from im2hands_ros.bags.salvage import MAGIC, RawMessage, SalvagedMcap

_SUFFIXES = (".mcap", ".db3")
_ZSTD = b"\x28\xb5\x2f\xfd"  # a message that was compressed by itself begins so; CDR never does


class _Part(Protocol):
    """A file of a bag, or all of it."""

    topics: list[Topic]
    start_ns: int
    end_ns: int

    def messages(
        self, names: Collection[str], start_ns: int, end_ns: int
    ) -> Iterator[RawMessage]: ...

    def close(self) -> None: ...


class _Intact:
    """What `rosbags` reads: a folder or a file."""

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self._reader.open()
        if not self._reader.message_count:
            self._reader.close()
            raise ValueError(f"'{path}' holds no messages: record again")
        self.start_ns, self.end_ns = self._reader.start_time, self._reader.end_time
        self.topics = [
            Topic(each.topic, each.msgtype, each.msgcount, each.msgdef)
            for each in self._reader.connections
        ]

    def messages(self, names: Collection[str], start_ns: int, end_ns: int) -> Iterator[RawMessage]:
        wanted = [each for each in self._reader.connections if each.topic in names]
        if not wanted:
            return
        for connection, received_ns, data in self._reader.messages(wanted, start_ns, end_ns):
            yield RawMessage(connection.topic, received_ns, bytes(data))

    def close(self) -> None:
        self._reader.close()


class BagSource:
    """Opens a bag for reading. Use as a context manager.

    Args:
        path: a bag's folder, or one of its files.
        warn: told what is damaged, a line each.

    Attributes:
        topics: name -> topic, counted.
        start_ns, end_ns: reception of the first message and of the last, plus 1.
        types: reads the messages by the definitions that the bag holds.

    Raises:
        FileNotFoundError: there is no such file, or no bag in the folder.
        ValueError: not a bag, an empty one, or one that cannot be read at all.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._stack = ExitStack()
        if not path.exists():
            raise FileNotFoundError(f"bag '{path}' does not exist: check the path")
        try:
            self._parts = self._open(path)
            self.topics = _summed(self._parts)
            self.types = types_of(self.topics.values())
        except BaseException:
            self._stack.close()
            raise
        self.start_ns = min(part.start_ns for part in self._parts)
        self.end_ns = max(part.end_ns for part in self._parts)

    def __enter__(self) -> BagSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def messages(
        self, names: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """The messages of these topics, received in [start_ns, end_ns), in that order."""
        start_ns = self.start_ns if start_ns is None else start_ns
        end_ns = self.end_ns if end_ns is None else end_ns
        for part in self._parts:
            latest_ns = self.start_ns
            try:
                for message in part.messages(names, start_ns, end_ns):
                    latest_ns = message.received_ns
                    yield _unpacked(message)
            except Exception as error:  # noqa: BLE001 - damage shows as any error of the libraries
                after = (latest_ns - self.start_ns) / 1e9
                self._warn(
                    f"the bag is damaged {after:.1f} s after its start ({_reason(error)}): "
                    "what comes before that is used"
                )

    def message(self, raw: RawMessage) -> Any:
        """The message's fields. Raises rosbags.serde.SerdeError and others when it is garbled."""
        return self.types.deserialize_cdr(raw.data, self.topics[raw.topic].type)

    def _open(self, path: Path) -> list[_Part]:
        try:
            return [self._keep(_Intact(path))]
        except PermissionError:
            raise
        except Exception as error:  # noqa: BLE001 - damage shows as any error of the libraries
            return self._open_files(path, error)

    def _open_files(self, path: Path, error: Exception) -> list[_Part]:
        """File by file, what cannot be read as a whole."""
        files = [path] if path.is_file() else _files_in(path)
        if not files:
            raise FileNotFoundError(
                f"'{path}' is no bag ({_reason(error)}): give a rosbag2 folder, an .mcap or a .db3"
            ) from error
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            self._warn(f"'{path}' has no metadata.yaml: its files are read in the order of names")
        parts, reasons = [], []
        for file in files:
            try:
                parts.append(self._open_file(file))
            except ValueError as problem:
                reasons.append(str(problem))
        if not parts:
            raise ValueError(reasons[0]) from error
        for reason in reasons:
            self._warn(reason)
        return parts

    def _open_file(self, file: Path) -> _Part:
        if file.suffix == ".zstd":
            file = self._decompressed(file)
        if file.suffix not in _SUFFIXES:
            raise ValueError(f"'{file}' is no bag: give a rosbag2 folder, an .mcap or a .db3")
        try:
            return self._keep(_Intact(file))
        except Exception as error:  # noqa: BLE001 - damage shows as any error of the libraries
            return self._salvage(file, error)

    def _salvage(self, file: Path, error: Exception) -> _Part:
        if file.suffix == ".db3":
            raise ValueError(
                f"'{file}' cannot be read ({_reason(error)}): try "
                f"sqlite3 '{file}' .recover | sqlite3 recovered.db3"
            ) from error
        with file.open("rb") as opened:
            if opened.read(len(MAGIC)) != MAGIC:
                raise ValueError(f"'{file}' is not an MCAP file: check the path") from error
        part = SalvagedMcap(file)
        self._warn(
            f"'{file}' is damaged or was not closed ({_reason(error)}): "
            f"the first {(part.end_ns - part.start_ns) / 1e9:.1f} s of it can be read and are used"
        )
        return part

    def _keep(self, part: _Intact) -> _Intact:
        self._stack.callback(part.close)
        return part

    def _decompressed(self, file: Path) -> Path:
        """The file's contents, in a folder that goes when the bag is closed."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="im2hands_bag_"))
        plain = Path(folder) / file.stem
        with zstd.open(file, "rb") as packed, plain.open("wb") as target:
            try:
                shutil.copyfileobj(packed, target)
            except (zstd.ZstdError, EOFError) as error:
                self._warn(f"'{file}' is damaged ({_reason(error)}): what can be unpacked is used")
        return plain


def _files_in(folder: Path) -> list[Path]:
    """The storage files of a bag's folder, bag_2 before bag_10."""
    names = [file.name for file in folder.iterdir()]
    names = [name for name in names if name.removesuffix(".zstd").endswith(_SUFFIXES)]
    in_order = sorted(names, key=lambda name: ([int(n) for n in re.findall(r"\d+", name)], name))
    return [folder / name for name in in_order]


def _summed(parts: list[_Part]) -> dict[str, Topic]:
    """The topics of all parts, each once."""
    topics: dict[str, Topic] = {}
    for part in parts:
        for topic in part.topics:
            known = topics.get(topic.name)
            count = topic.count + (known.count if known else 0)
            topics[topic.name] = Topic(topic.name, topic.type, count, topic.definition)
    return topics


def _unpacked(message: RawMessage) -> RawMessage:
    if not message.data.startswith(_ZSTD):
        return message
    return message._replace(data=zstd.decompress(message.data))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
