"""Serialised messages with places that are filled anew for each frame. No ROS here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _Slot:
    """A stretch of the template that is replaced; `padding` goes between a count and its data."""

    start: int
    stop: int
    name: str
    padding: bytes | None = None


class Template:
    """A serialised message with places for fixed-size values and for sequences.

    Args:
        data: the message, serialised with a mark in each place.
        values: name -> the bytes that mark it; all occurrences are replaced.
        sequences: name -> the elements that mark it, at least one; alignment is the dtype's.

    Raises:
        ValueError: a sequence's mark is not there exactly once.
    """

    def __init__(
        self, data: bytes, values: Mapping[str, bytes], sequences: Mapping[str, np.ndarray]
    ) -> None:
        slots = [
            _Slot(at, at + len(mark), name)
            for name, mark in values.items()
            for at in _positions(data, mark)
        ]
        slots += [_sequence_slot(data, name, mark) for name, mark in sequences.items()]
        self._slots = sorted(slots, key=lambda slot: slot.start)
        edges = [0, *(edge for slot in self._slots for edge in (slot.start, slot.stop)), len(data)]
        self._fixed = [data[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]

    def fill(self, values: Mapping[str, bytes], sequences: Mapping[str, np.ndarray]) -> bytes:
        """The message with these values and sequences; `len(array)` is a sequence's length."""
        parts: list[Any] = [self._fixed[0]]
        for slot, fixed in zip(self._slots, self._fixed[1:], strict=True):
            if slot.padding is None:
                parts.append(values[slot.name])
            else:
                block = np.ascontiguousarray(sequences[slot.name])
                parts += [struct.pack("<I", len(block)), slot.padding, block.view(np.uint8).data]
            parts.append(fixed)
        return b"".join(parts)


def _positions(data: bytes, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + len(mark))
    return found


def _sequence_slot(data: bytes, name: str, mark: np.ndarray) -> _Slot:
    """The place of a sequence: its count, the padding up to the data's alignment, the data."""
    found = _positions(data, mark.tobytes())
    if len(found) != 1:
        raise ValueError(f"the mark of {name} is {len(found)} times in the template: mark it once")
    start = found[0]
    count = struct.pack("<I", len(mark))
    at = start - 4 if data[start - 4 : start] == count else start - 8
    if data[at : at + 4] != count:
        raise ValueError(f"no count before the data of {name}: the serialisation has changed")
    return _Slot(at, start + mark.nbytes, name, data[at + 4 : start])


def mark(number: int, count: int, dtype: type) -> np.ndarray:
    """`count` values that appear nowhere else in a template."""
    return (np.arange(count) + 1_000_003 + 1_009 * number).astype(dtype)
