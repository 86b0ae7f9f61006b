"""Fast serialisation: a template serialised once, with the frame's arrays put in between.

rclpy takes 44 ms to fill and 12 ms to publish a marker of 10 000 triangles; publishing takes ready
bytes too. Everything but stamps, numbers and arrays is the same each frame, so a message with
marked values is serialised once by rclpy itself and cut at the marks. The bytes are those of the
plain messages in `messages` and `markers`; tests hold them equal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from im2hands_ros.msg import HandMesh, HandMeshArray
from im2hands_ros.ros.markers import Drawing, Style, marker_array_message
from im2hands_ros.ros.messages import (
    CLOUD_DTYPE,
    SIDE_NUMBER,
    cloud_message,
    present,
)
from im2hands_ros.skeleton import SIDES

_TEMPLATES = 64  # kept per message type: hands there or lost, a few frame names

# CDR aligns to the start of the body, which follows a header of four bytes.


_STAMP = struct.pack("<iI", 1_734_567_891, 987_654_321)


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
        message: the message, with a mark in each place.
        values: name -> the bytes that mark it; all occurrences are replaced.
        sequences: name -> the elements that mark it, at least one; alignment is the dtype's.

    Raises:
        ValueError: a sequence's mark is not there exactly once.
    """

    def __init__(
        self, message: Any, values: Mapping[str, bytes], sequences: Mapping[str, np.ndarray]
    ) -> None:
        data = serialize_message(message)
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


def _stamp_bytes(header: Header) -> bytes:
    return struct.pack("<iI", header.stamp.sec, header.stamp.nanosec)


def _marked_header(frame_id: str) -> Header:
    sec, nanosec = struct.unpack("<iI", _STAMP)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)


def _mark(number: int, count: int, dtype: type) -> np.ndarray:
    """`count` values that appear nowhere else in a template."""
    return (np.arange(count) + 1_000_003 + 1_009 * number).astype(dtype)


def marker_array_bytes(
    header: Header, drawings: Sequence[Drawing], lost: Iterable[tuple[str, int]] = ()
) -> bytes:
    """Serialised `marker_array_message(header, drawings, lost)`; every drawing has points."""
    styles = tuple(drawing.style for drawing in drawings)
    template = _marker_template(header.frame_id, styles, tuple(lost))
    points = {
        str(number): np.asarray(drawing.points, "<f8") for number, drawing in enumerate(drawings)
    }
    return template.fill({"stamp": _stamp_bytes(header)}, points)


@lru_cache(_TEMPLATES)
def _marker_template(
    frame_id: str, styles: tuple[Style, ...], lost: tuple[tuple[str, int], ...]
) -> Template:
    marks = {
        str(number): _mark(number, 9, np.float64).reshape(3, 3) for number in range(len(styles))
    }
    drawings = [Drawing(style, marks[str(number)]) for number, style in enumerate(styles)]
    message = marker_array_message(_marked_header(frame_id), drawings, lost)
    return Template(message, {"stamp": _STAMP}, marks)


def mesh_array_bytes(header: Header, hands: Any) -> bytes:
    """Serialised `mesh_array_message(header, hands)`."""
    surfaces = present(hands)
    values = {"stamp": _stamp_bytes(header)}
    sequences = {}
    for side, surface in surfaces:
        values[f"{side} confidence"] = struct.pack("<f", surface.confidence)
        sequences[f"{side} vertices"] = np.asarray(surface.vertices, "<f4").reshape(-1)
        sequences[f"{side} triangles"] = np.asarray(surface.triangles, "<u4").reshape(-1)
    return _mesh_template(header.frame_id, tuple(side for side, _ in surfaces)).fill(
        values, sequences
    )


@lru_cache(_TEMPLATES)
def _mesh_template(frame_id: str, sides: tuple[str, ...]) -> Template:
    values, sequences, hands = {"stamp": _STAMP}, {}, []
    for side in sides:
        number = SIDES.index(side)
        vertices, triangles = _mark(2 * number, 3, np.float32), _mark(2 * number + 1, 3, np.uint32)
        confidence = _mark(number + 100, 1, np.float32)
        sequences |= {f"{side} vertices": vertices, f"{side} triangles": triangles}
        values[f"{side} confidence"] = confidence.tobytes()
        hands.append(
            HandMesh(
                side=SIDE_NUMBER[side],
                vertices=vertices.tolist(),
                triangles=triangles.tolist(),
                confidence=float(confidence[0]),
            )
        )
    message = HandMeshArray(header=_marked_header(frame_id), hands=hands)
    return Template(message, values, sequences)


def cloud_bytes(header: Header, points: np.ndarray) -> bytes:
    """Serialised `cloud_message(header, points)`."""
    values = {
        "stamp": _stamp_bytes(header),
        "width": struct.pack("<I", len(points)),
        "row_step": struct.pack("<I", points.nbytes),
    }
    return _cloud_template(header.frame_id).fill(values, {"data": points.view(np.uint8)})


@lru_cache(_TEMPLATES)
def _cloud_template(frame_id: str) -> Template:
    points = np.zeros(3, CLOUD_DTYPE)
    points["x"] = _mark(0, 3, np.float32)
    message = cloud_message(_marked_header(frame_id), points)
    width, row_step = (int(mark) for mark in _mark(1, 2, np.uint32))
    message.width, message.row_step = width, row_step
    values = {
        "stamp": _STAMP,
        "width": struct.pack("<I", width),
        "row_step": struct.pack("<I", row_step),
    }
    return Template(message, values, {"data": points.view(np.uint8)})
