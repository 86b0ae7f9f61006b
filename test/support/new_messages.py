"""Messages of either kind, by type and fields: as a bag's reader makes them, and as rclpy does."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

from im2hands_ros.bags.definitions import standard_types
from im2hands_ros.messages.header import Header

New = Callable[..., Any]
HAS_RCLPY = find_spec("rclpy") is not None
_NUMPY_NAMES = {"octet": "uint8", "byte": "uint8", "char": "uint8"}


class Messages:
    """Makes messages of the standard types; fields that are not given are empty."""

    def __init__(self, store: Typestore) -> None:
        self._store = store

    def new(self, kind: str, /, **given: Any) -> Any:
        """A message of type `kind`, as in `std_msgs/msg/Header`."""
        _, fields = self._store.fielddefs[kind]
        values = {field: self._empty(of) for field, of in fields if field not in given}
        return self._store.types[kind](**values, **given)

    def serialise(self, kind: str, message: Any) -> bytes:
        """The message as little-endian CDR."""
        return bytes(self._store.serialize_cdr(message, kind, little_endian=True))

    def _empty(self, kind: Any) -> Any:
        node, inner = kind
        if node == Nodetype.BASE:
            return {"string": "", "bool": False}.get(inner[0], 0)
        if node == Nodetype.NAME:
            return self.new(inner)
        base, length = inner
        count = length if node == Nodetype.ARRAY else 0
        if base[0] == Nodetype.NAME or base[1][0] == "string":
            return [self._empty(base) for _ in range(count)]
        return np.zeros(count, _NUMPY_NAMES.get(base[1][0], base[1][0]))


MESSAGES = Messages(standard_types())


def new_of_bag(kind: str, /, **fields: Any) -> Any:
    """A message with these fields, the others empty; as in `new_of_bag("std_msgs/msg/Header")`."""
    return MESSAGES.new(kind, **fields)


def new_of_rclpy(kind: str, /, **fields: Any) -> Any:
    """The same of rclpy, which takes no arrays of NumPy's single precision."""
    package, _, name = kind.split("/")
    values = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in fields.items()
    }
    return getattr(import_module(f"{package}.msg"), name)(**values)


def read_back(kind: str, data: bytes, of_rclpy: bool) -> Any:
    """A serialised message as its fields."""
    if not of_rclpy:
        return standard_types().deserialize_cdr(data, kind)
    from rclpy.serialization import deserialize_message

    package, _, name = kind.split("/")
    return deserialize_message(data, getattr(import_module(f"{package}.msg"), name))


def new_header(new: New, header: Header) -> Any:
    """A std_msgs/Header."""
    stamp = new("builtin_interfaces/msg/Time", **header.stamp._asdict())
    return new("std_msgs/msg/Header", stamp=stamp, frame_id=header.frame_id)
