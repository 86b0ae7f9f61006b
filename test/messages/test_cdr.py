"""The writer gives the bytes of another implementation, whatever comes after whatever."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import Header

STRUCT = {"bool": "?", "uint8": "B", "int32": "i", "uint32": "I", "float32": "f", "float64": "d"}
NUMPY = {kind: np.dtype("u1" if kind == "bool" else kind) for kind in STRUCT}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


def number(kind: str) -> st.SearchStrategy:
    if kind == "bool":
        return st.booleans()
    if kind.startswith("float"):
        return st.floats(width=int(kind[5:]))
    low, high = {"uint8": (0, 255), "int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}[kind]
    return st.integers(low, high)


def numbers(kind: str, least: int, most: int) -> st.SearchStrategy:
    values = st.lists(number(kind), min_size=least, max_size=most)
    return st.tuples(st.just(kind), values)


# A field: how the message definition calls it, and its value.
SINGLE = st.sampled_from(sorted(STRUCT)).flatmap(lambda kind: numbers(kind, 1, 1))
FIXED = st.sampled_from(sorted(STRUCT)).flatmap(lambda kind: numbers(kind, 2, 5))
SEQUENCE = st.sampled_from(sorted(set(STRUCT) - {"bool"})).flatmap(lambda k: numbers(k, 0, 5))
FIELD = st.one_of(
    SINGLE.map(lambda it: (it[0], it[0], it[1])),
    FIXED.map(lambda it: (f"{it[0]}[{len(it[1])}]", it[0], it[1])),
    SEQUENCE.map(lambda it: (f"{it[0]}[]", it[0], it[1])),
    TEXT.map(lambda text: ("string", "string", text)),
)


def written(fields: list[tuple]) -> bytes:
    cdr = CdrWriter()
    for declared, kind, value in fields:
        if kind == "string":
            cdr.string(value)
        elif declared.endswith("[]"):
            cdr.sequence(np.array(value, NUMPY[kind]))
        else:
            cdr.fields(f"{len(value)}{STRUCT[kind]}", *value)
    return cdr.message


def reference(fields: list[tuple]) -> bytes:
    """The same through rosbags: a message type with these fields."""
    definition = "\n".join(f"{declared} f{i}" for i, (declared, _, _) in enumerate(fields))
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition, "test/msg/Fields"))
    values = {
        f"f{i}": np.array(value, np.bool_ if kind == "bool" else NUMPY[kind])
        if declared.endswith("]")
        else value
        if kind == "string"
        else value[0]
        for i, (declared, kind, value) in enumerate(fields)
    }
    message = store.types["test/msg/Fields"](**values)
    return bytes(store.serialize_cdr(message, "test/msg/Fields", little_endian=True))


@settings(max_examples=300, deadline=None)
@given(st.lists(FIELD, min_size=1, max_size=12))
def test_any_row_of_fields_has_the_bytes_of_the_reference(fields):
    assert written(fields) == reference(fields)


@given(TEXT)
def test_fields_of_several_kinds_in_one_call_are_those_of_several_calls(text):
    together, apart = CdrWriter(), CdrWriter()
    for cdr in (together, apart):
        cdr.string(text)
    together.fields("2? i 3d f B", True, False, -5, *(0.5,) * 3, 1.5, 7)
    for kinds, values in (("2?", (1, 0)), ("i", (-5,)), ("3d", (0.5,) * 3), ("f", (1.5,))):
        apart.fields(kinds, *values)
    apart.fields("B", 7)
    assert together.message == apart.message


@given(TEXT, st.integers(0, 5))
def test_a_sequence_of_messages_of_equal_numbers_is_a_sequence_of_rows(text, count):
    points = np.arange(3.0 * count).reshape(count, 3)
    rows, fields = CdrWriter(), CdrWriter()
    for cdr in (rows, fields):
        cdr.string(text)
    rows.sequence(points)
    fields.fields("I", count)
    for point in points:
        fields.fields("3d", *point)
    assert rows.message == fields.message


@given(TEXT, TEXT)
def test_prepared_fields_are_as_if_written_in_place(before, text):
    prepared, with_it, without = CdrWriter(), CdrWriter(), CdrWriter()
    prepared.header(Header.at(5, text))
    for cdr in (with_it, without):
        cdr.string(before)
    with_it.prepared(prepared.payload)
    without.header(Header.at(5, text))
    for cdr in (with_it, without):
        cdr.fields("d", 1.0)
    assert with_it.message == without.message


@pytest.mark.parametrize("kind", ["<f8", ">f8"])
def test_arrays_of_either_byte_order_and_any_strides_become_little_endian(kind):
    cdr = CdrWriter()
    cdr.sequence(np.arange(10, dtype=kind)[::2])
    assert cdr.message == struct.pack("<4sI4x5d", b"\0\1\0\0", 5, 0, 2, 4, 6, 8)


@pytest.mark.parametrize("values", [(1,), (1, 2, 3)])
def test_too_few_or_too_many_values_are_an_error(values):
    with pytest.raises(struct.error, match="expected 2 items"):
        CdrWriter().fields("2I", *values)
