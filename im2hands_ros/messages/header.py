"""std_msgs/Header: when and in which frame. Of rclpy, of a bag or, without ROS, our own."""

from __future__ import annotations

from typing import NamedTuple, Protocol

_SECOND = 1_000_000_000  # nanoseconds


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
