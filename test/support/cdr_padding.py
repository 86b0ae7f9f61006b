"""Clears the alignment padding of serialised messages.

Fast CDR leaves whatever the heap held in it, so two serialisations of one message differ there, and
only there.
"""

import re

_SIZES = {"boolean": 1, "octet": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2}
_SIZES |= {"int32": 4, "uint32": 4, "float": 4, "int64": 8, "uint64": 8, "double": 8}
_HEADER = 4


class _Walk:
    def __init__(self):
        self.at = 0
        self.holes = []

    def align(self, size):
        padding = -self.at % size
        self.holes += range(self.at, self.at + padding)
        self.at += padding

    def primitive(self, size, count=1):
        if count:
            self.align(size)
            self.at += size * count

    def value(self, value, kind):
        sequence = re.fullmatch(r"sequence<(.+)>", kind)
        array = re.fullmatch(r"(.+)\[(\d+)\]", kind)
        if sequence:
            self.primitive(4)
            self.elements(value, sequence[1])
        elif array:
            self.elements(value, array[1])
        elif kind == "string":
            self.primitive(4)
            self.at += len(value.encode()) + 1
        elif kind in _SIZES:
            self.primitive(_SIZES[kind])
        else:
            self.message(value)

    def elements(self, values, kind):
        if kind in _SIZES:
            self.primitive(_SIZES[kind], len(values))
        else:
            for each in values:
                self.value(each, kind)

    def message(self, message):
        for name, kind in message.get_fields_and_field_types().items():
            self.value(getattr(message, name), kind)


def without_padding(data: bytes, message: object) -> bytes:
    """The serialisation `data` of `message` with every padding byte set to zero."""
    walk = _Walk()
    walk.message(message)
    assert _HEADER + walk.at <= len(data) <= _HEADER + walk.at + 3, (
        "layout does not fit the message"
    )
    clean = bytearray(data)
    for hole in [*walk.holes, *range(walk.at, len(data) - _HEADER)]:
        clean[_HEADER + hole] = 0
    return bytes(clean)
