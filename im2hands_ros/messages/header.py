"""std_msgs/Header: when and in which frame. Of rclpy, of a bag or, without ROS, our own."""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

_SECOND = 1_000_000_000  # nanoseconds
_STAMP = struct.Struct("<iI")


class StampFields(Protocol):
    """The fields of builtin_interfaces/Time."""

    @property
    def sec(self) -> int: ...

    @property
    def nanosec(self) -> int: ...


class HeaderFields(Protocol):
    """The fields of std_msgs/Header: what readers and writers need of it."""

    @property
    def stamp(self) -> StampFields: ...

    @property
    def frame_id(self) -> str: ...


class Stamp(NamedTuple):
    """A time where there is no ROS."""

    sec: int
    nanosec: int


class Header(NamedTuple):
    """A header where there is no ROS."""

    stamp: Stamp
    frame_id: str

    @classmethod
    def at(cls, stamp_ns: int, frame_id: str) -> Header:
        """Of a time in nanoseconds since the epoch."""
        return cls(Stamp(*divmod(stamp_ns, _SECOND)), frame_id)


def nanoseconds(stamp: StampFields) -> int:
    """A stamp as nanoseconds since the epoch."""
    return stamp.sec * _SECOND + stamp.nanosec


def read_stamp(message: bytes, in_sequence: bool = False) -> int:
    """Stamp, in nanoseconds, of a serialised message; 0 when it is too short for one.

    Args:
        message: it begins with a header.
        in_sequence: it begins with a sequence of messages that begin with a header, as a
            MarkerArray does: the stamp is the first one's.
    """
    at = 8 if in_sequence else 4  # after the encapsulation and the number of messages
    if len(message) < at + _STAMP.size:
        return 0
    seconds, rest = _STAMP.unpack_from(message, at)
    return seconds * _SECOND + rest
