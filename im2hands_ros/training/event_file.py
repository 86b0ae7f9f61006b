"""Scalars in TensorBoard's file format, written without TensorBoard.

A file is a sequence of records: length, its checksum, an ``Event`` message, its checksum
(tensorflow/core/lib/io/record_writer.h). Only the three kinds of ``Event`` that scalars need are
written here (tensorflow/core/util/event.proto), field by field in protobuf's wire format.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

_CASTAGNOLI = 0x82F63B78


class EventFile:
    """A new event file in a folder; every call is in it when it returns."""

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 10**6:013d}.{os.getpid()}.im2hands"
        self._file = (folder / name).open("wb", buffering=0)
        self._write(0, _bytes(3, b"brain.Event:2"))
        # The start of a session: what an earlier file says of this step and later ones is void.
        self._write(first_step, _bytes(7, _varint(1 << 3) + _varint(1)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of one step."""
        parts = (
            _bytes(1, _bytes(1, name.encode()) + _key(2, 5) + struct.pack("<f", value))
            for name, value in values.items()
        )
        self._write(step, _bytes(5, b"".join(parts)))

    def close(self) -> None:
        """Nothing comes after."""
        self._file.close()

    def _write(self, step: int, what: bytes) -> None:
        event = _key(1, 1) + struct.pack("<d", time.time()) + _key(2, 0) + _varint(step) + what
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def crc32c(content: bytes) -> int:
    """CRC-32C (Castagnoli), as in RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _checksum(content: bytes) -> bytes:
    """Rotated and shifted, as the format wants it."""
    crc = crc32c(content)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()
