"""ROS 2's serialisation, field by field: little-endian XCDR1 (CDR), as rclpy writes it.

rclpy takes 44 ms to fill and 12 ms to publish a marker of 10 000 triangles, element by element. Its
publishers take ready bytes too, and an array lies in memory as CDR wants it.
"""

from __future__ import annotations

import ctypes
import re
import struct
from functools import lru_cache
from typing import Protocol

import numpy as np

from im2hands_ros.messages.header import HeaderFields

_ENCAPSULATION = b"\x00\x01\x00\x00"  # CDR, little-endian, no options; not part of the payload
_LARGEST = 8  # alignment of any field


class Deferred(Protocol):
    """An array (N, k) that is written where it belongs when the message is made, not before.

    Attributes:
        dtype: little-endian. nbytes: of all elements.
    """

    dtype: np.dtype
    nbytes: int

    def __len__(self) -> int: ...

    def write(self, address: int) -> None:
        """Write all elements; the address need not be aligned."""


class CdrWriter:
    """Serialises one message: call the methods in the order of its definition.

    A field is aligned to its own size, counted from the start of the payload.
    """

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview | Deferred] = [_ENCAPSULATION]
        self._size = 0  # of the payload, bytes

    def header(self, header: HeaderFields) -> None:
        """A std_msgs/Header."""
        self.fields("iI", header.stamp.sec, header.stamp.nanosec)
        self.string(header.frame_id)

    def fields(self, kinds: str, *values: float) -> None:
        """Numbers: ? bool, B uint8, i int32, I uint32, f float32, d float64.

        3d is three fields, or an array of fixed length. A sequence of messages is their number,
        an I, and then their fields.
        """
        self._append(_layout(kinds, self._size % _LARGEST).pack(*values))

    def string(self, text: str) -> None:
        """A string: its length, its UTF-8 and a zero byte."""
        data = text.encode()
        self._append(struct.pack(f"<{-self._size % 4}xI{len(data)}sx", len(data) + 1, data))

    def sequence(self, elements: np.ndarray | Deferred) -> None:
        """A sequence of (N,) numbers, or of N messages of k equal numbers each, (N, k).

        The array's dtype is the field's type.
        """
        part: memoryview | Deferred
        if isinstance(elements, np.ndarray):
            elements = np.ascontiguousarray(elements, elements.dtype.newbyteorder("<"))
            part = elements.data.cast("B") if elements.size else elements.data
        else:
            part = elements
        before = -self._size % 4
        after = -(self._size + before + 4) % elements.dtype.itemsize if part.nbytes else 0
        self._append(struct.pack(f"<{before}xI{after}x", len(elements)))
        if part.nbytes:
            self._append(part)

    def prepared(self, payload: bytes) -> None:
        """Fields serialised earlier: the `payload` of a writer that nothing else went into.

        None of them may be wider than four bytes.
        """
        self._append(bytes(-self._size % 4) + payload)

    @property
    def payload(self) -> bytes:
        """The fields alone."""
        return _joined(self._parts[1:])

    @property
    def message(self) -> bytes:
        """The message as publishers and bags take it."""
        return _joined(self._parts)

    def _append(self, part: bytes | memoryview | Deferred) -> None:
        self._parts.append(part)
        self._size += _size_of(part)


def _size_of(part: bytes | memoryview | Deferred) -> int:
    return len(part) if isinstance(part, bytes) else part.nbytes


def _joined(parts: list[bytes | memoryview | Deferred]) -> bytes:
    """All parts in one object; megabytes that are deferred are written once, not copied."""
    ready = [part for part in parts if isinstance(part, (bytes, memoryview))]
    if len(ready) == len(parts):
        return b"".join(ready)
    # As C extensions make bytes: filled before anybody has seen them. rclpy takes nothing else.
    size = sum(map(_size_of, parts))
    message: bytes = _new_bytes(None, size)
    address, start = id(message) + bytes.__basicsize__ - 1, 0
    room = memoryview((ctypes.c_char * size).from_address(address)).cast("B")
    for part in parts:
        if isinstance(part, (bytes, memoryview)):
            room[start : start + len(part)] = part
        else:
            part.write(address + start)
        start += _size_of(part)
    return message


_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype, _new_bytes.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_ssize_t)


@lru_cache(256)
def _layout(kinds: str, offset: int) -> struct.Struct:
    """Fields that begin at `offset`, with the padding before each."""
    layout = "<"
    for count, kind in re.findall(r"(\d*)([?BiIfd])", kinds):
        size = struct.calcsize(f"<{kind}")
        padding = -offset % size
        layout += f"{padding}x{count}{kind}"
        offset += padding + size * int(count or 1)
    return struct.Struct(layout)
