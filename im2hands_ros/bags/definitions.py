"""Message types: ROS 2 Jazzy's, this package's, and those that a bag brings along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.interfaces.typing import Typesdict
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)
from rosbags.typesys.store import Typestore

PACKAGE = "im2hands_ros"
# Copies of msg/*.msg: a wheel holds only what is inside the package.
DEFINITIONS = Path(__file__).resolve().parents[1] / "data" / "msg"
_IDL_SEPARATOR = "=" * 80 + "\n"


@cache
def standard_types() -> Typestore:
    """ROS 2 Jazzy's message types and this package's."""
    types: Typesdict = {}
    for file in sorted(DEFINITIONS.glob("*.msg")):
        types.update(get_types_from_msg(file.read_text(), f"{PACKAGE}/msg/{file.stem}"))
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(types)
    return store


@dataclass(frozen=True)
class Topic:
    """A topic of a bag: its name, its type as in `sensor_msgs/msg/Image`, and how many messages.

    `definition` is the type's in the bag; it may be empty.
    """

    name: str
    type: str
    count: int
    definition: MessageDefinition


def full_type(name: str) -> str:
    """`sensor_msgs/msg/Image`, also where a writer left out `msg` or wrote the name of DDS."""
    if "::" in name:  # sensor_msgs::msg::dds_::Image_
        name = name.replace("dds_::", "").removesuffix("_").replace("::", "/")
    package, _, kind = name.partition("/")
    return name if "/" in kind or not kind else f"{package}/msg/{kind}"


def types_of(topics: Collection[Topic]) -> Typestore:
    """The types by the definitions that a bag holds; by the standard ones where it holds none.

    Definitions that lack fields which the standard ones have, or contradict one another, are
    damaged: none of the bag's are used then.
    """
    found: Typesdict = {}
    try:
        for topic in topics:
            found.update(_parse(topic))
    except TypesysError:
        found = {}
    standard = standard_types().fielddefs
    if any(_names(standard[name]) - _names(found[name]) for name in found.keys() & standard.keys()):
        found = {}
    if any(topic.type not in found for topic in topics):
        found = {**standard, **found}
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(found)
    except TypesysError:
        return standard_types()
    return store


def _names(definition: Any) -> set[str]:
    """The names of a type's fields."""
    return {name for name, _ in definition[1]}


def _parse(topic: Topic) -> Typesdict:
    kind, text = topic.definition
    if kind == MessageDefinitionFormat.MSG:
        return get_types_from_msg(text, topic.type)
    if kind == MessageDefinitionFormat.NONE:
        return {}
    types: Typesdict = {}
    parts = text.split(_IDL_SEPARATOR)[1:] if text.startswith(_IDL_SEPARATOR) else [text]
    for part in parts:  # each after a line that names it
        types.update(get_types_from_idl(part.split("\n", 1)[-1] if "IDL: " in part[:5] else part))
    return types
