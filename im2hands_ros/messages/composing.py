"""New messages without ROS, field by field."""

from __future__ import annotations

from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

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
