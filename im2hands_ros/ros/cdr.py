"""Fast serialisation: a template serialised once, with the frame's arrays put in between.

rclpy takes 44 ms to fill and 12 ms to publish a marker of 10 000 triangles; publishing takes ready
bytes too. Everything but stamps, numbers and arrays is the same each frame, so a message with
marked values is serialised once by rclpy itself and cut at the marks. The bytes are those of the
plain messages in `messages` and `markers`; tests hold them equal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from im2hands_ros.messages.arrays import CLOUD_DTYPE, SIDE_NUMBER, present
from im2hands_ros.messages.markers import Drawing, Style
from im2hands_ros.messages.splicing import Template, mark
from im2hands_ros.msg import HandMesh, HandMeshArray
from im2hands_ros.ros.messages import cloud_message, marker_array_message
from im2hands_ros.skeleton import SIDES

_TEMPLATES = 64  # kept per message type: hands there or lost, a few frame names

_STAMP = struct.pack("<iI", 1_734_567_891, 987_654_321)


def _stamp_bytes(header: Header) -> bytes:
    return struct.pack("<iI", header.stamp.sec, header.stamp.nanosec)


def _marked_header(frame_id: str) -> Header:
    sec, nanosec = struct.unpack("<iI", _STAMP)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)


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
        str(number): mark(number, 9, np.float64).reshape(3, 3) for number in range(len(styles))
    }
    drawings = [Drawing(style, marks[str(number)]) for number, style in enumerate(styles)]
    message = marker_array_message(_marked_header(frame_id), drawings, lost)
    return Template(serialize_message(message), {"stamp": _STAMP}, marks)


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
        vertices, triangles = mark(2 * number, 3, np.float32), mark(2 * number + 1, 3, np.uint32)
        confidence = mark(number + 100, 1, np.float32)
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
    return Template(serialize_message(message), values, sequences)


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
    points["x"] = mark(0, 3, np.float32)
    message = cloud_message(_marked_header(frame_id), points)
    width, row_step = (int(mark) for mark in mark(1, 2, np.uint32))
    message.width, message.row_step = width, row_step
    values = {
        "stamp": _STAMP,
        "width": struct.pack("<I", width),
        "row_step": struct.pack("<I", row_step),
    }
    return Template(serialize_message(message), values, {"data": points.view(np.uint8)})
