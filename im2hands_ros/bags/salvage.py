"""What can still be read of an MCAP file whose end is missing or whose index is damaged.

Reads the records in the order of the file (https://mcap.dev/spec) up to the damage, and of a chunk
that is cut off, what its compression gives back.
"""

from __future__ import annotations

import io
import struct
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import lz4.frame
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from im2hands_ros.bags.definitions import Topic, full_type

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NEVER_NS = (1 << 63) - 1
MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
_RECORD = struct.Struct("<BQ")  # what it is, bytes that follow
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, received, published
_CHUNK_HEAD = struct.Struct("<QQQII")  # first and last time, size, checksum, length of a name
_PIECE = 1 << 16  # bytes: what decompressed well before the damage is kept
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
_NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")

_DECOMPRESSORS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "": lambda: bytes,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
    "lz4": lambda: lz4.frame.LZ4FrameDecompressor().decompress,
}


class RawMessage(NamedTuple):
    """A serialised message, its topic, and when it was received, ns."""

    topic: str
    received_ns: int
    data: bytes


class SalvagedMcap:
    """An MCAP file, read from its beginning as far as it goes, without its index.

    Attributes:
        topics: after `survey`: what it holds, counted.
        start_ns, end_ns: after `survey`: reception of the first message and of the last, plus 1.
        foreign: after `survey`: topics that are no ROS 2 messages -> how theirs are encoded.
        is_closed, is_damaged: after `survey`: whether it has its end, and whether something in it
            cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._schemas: dict[int, tuple[str, MessageDefinition]] = {}
        self._channels: dict[int, tuple[str, int]] = {}
        self.topics: list[Topic] = []
        self.foreign: dict[str, str] = {}
        self.is_closed = self.is_damaged = False
        self.start_ns, self.end_ns = NEVER_NS, 0

    def survey(self) -> None:
        """Read the file once to know what it holds.

        Raises:
            ValueError: not an MCAP file, or nothing in it can be read.
        """
        counts: Counter[str] = Counter()
        for message in self._read():
            counts[message.topic] += 1
            self.start_ns = min(self.start_ns, message.received_ns)
            self.end_ns = max(self.end_ns, message.received_ns + 1)
        if not counts and self.foreign:
            raise ValueError(
                f"'{self._path}' holds no ROS 2 messages but {self.encodings}: convert it to a "
                "rosbag2 of sensor_msgs and im2hands_ros messages"
            )
        if not counts:
            raise ValueError(
                f"'{self._path}' is damaged and no message can be read: record it again"
            )
        for name, schema in dict(self._channels.values()).items():  # two may share a topic
            kind, definition = self._schemas.get(schema, ("", _NO_DEFINITION))
            self.topics.append(Topic(name, full_type(kind), counts[name], definition))

    @property
    def encodings(self) -> str:
        """The topics of `foreign`, in words."""
        return ", ".join(f"{topic} ({how})" for topic, how in self.foreign.items())

    def messages(self, names: Collection[str], start_ns: int, end_ns: int) -> Iterator[RawMessage]:
        """The messages of these topics received in [start_ns, end_ns), in the file's order."""
        for message in self._read():
            if message.topic in names and start_ns <= message.received_ns < end_ns:
                yield message

    def _read(self) -> Iterator[RawMessage]:
        with self._path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError(f"'{self._path}' is not an MCAP file: check the path")
            file.seek(-len(MAGIC), io.SEEK_END)
            self.is_closed = file.read() == MAGIC
            file.seek(len(MAGIC))
            try:
                yield from self._messages_of(file)
            except struct.error:  # a record that contradicts itself
                self.is_damaged = True

    def _messages_of(self, stream: BinaryIO) -> Iterator[RawMessage]:
        for kind, content, is_whole in _records(stream):
            self.is_damaged |= not is_whole
            if kind == _SCHEMA:
                self._add_schema(content)
            elif kind == _CHANNEL:
                self._add_channel(content)
            elif kind == _CHUNK:
                records = _unpacked(content)
                head = content[: _CHUNK_HEAD.size].ljust(_CHUNK_HEAD.size)
                self.is_damaged |= len(records) != _CHUNK_HEAD.unpack(head)[2]
                yield from self._messages_of(io.BytesIO(records))
            elif kind == _MESSAGE and len(content) > _MESSAGE_HEAD.size:
                channel, _, received_ns, _ = _MESSAGE_HEAD.unpack_from(content)
                if channel in self._channels:
                    data = content[_MESSAGE_HEAD.size :]
                    yield RawMessage(self._channels[channel][0], received_ns, data)

    def _add_schema(self, content: bytes) -> None:
        (number,) = struct.unpack_from("<H", content)
        (name, encoding, text), _ = _strings(content, 2, 3)
        self._schemas[number] = (
            name,
            MessageDefinition(_FORMATS[encoding], text) if encoding in _FORMATS else _NO_DEFINITION,
        )

    def _add_channel(self, content: bytes) -> None:
        number, schema = struct.unpack_from("<HH", content)
        (topic, encoding), _ = _strings(content, 4, 2)
        if encoding == "cdr":
            self._channels[number] = (topic, schema)
        else:
            self.foreign[topic] = encoding


def _records(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """(kind, content, whether all of it) up to the damage, if any; a cut chunk comes as it is."""
    start = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    while len(head := stream.read(_RECORD.size)) == _RECORD.size:
        kind, size = _RECORD.unpack(head)
        if kind == _DATA_END:
            return
        if kind not in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK):
            stream.seek(min(size, end - stream.tell()), io.SEEK_CUR)
            continue
        content = stream.read(min(size, end - stream.tell()))  # a damaged size may be anything
        if len(content) == size or kind == _CHUNK:
            yield kind, content, len(content) == size


def _unpacked(chunk: bytes) -> bytes:
    """A chunk's records, up to the damage if it has one."""
    if len(chunk) < _CHUNK_HEAD.size:
        return b""
    name_size = _CHUNK_HEAD.unpack_from(chunk)[-1]
    start = _CHUNK_HEAD.size + name_size
    compression = chunk[_CHUNK_HEAD.size : start].decode("ascii", "replace")
    if compression not in _DECOMPRESSORS:
        return b""
    unpack, packed = _DECOMPRESSORS[compression](), chunk[start + 8 :]
    parts = []
    try:
        for at in range(0, len(packed), _PIECE):
            parts.append(unpack(packed[at : at + _PIECE]))
    except (zstd.ZstdError, RuntimeError, EOFError):
        pass  # what came before is kept
    return b"".join(parts)


def _strings(content: bytes, at: int, count: int) -> tuple[list[str], int]:
    """`count` strings, each after its length, and where they end."""
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", content, at)
        found.append(content[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return found, at
