"""Parameters of a node as one dataclass with defaults, ranges and descriptions.

ROS is imported only to declare them.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar


def described(
    default: Any,
    description: str,
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,
    pattern: str | None = None,
    allowed: str = "",
    live: bool = False,
) -> Any:
    """A dataclass field with what a user must know; `live` means it may change while running."""
    text = f"{description} ({unit})" if unit else description
    rules = {"description": text, "range": range, "pattern": pattern, "allowed": allowed}
    return field(default=default, metadata=rules | {"live": live})


def image_transport() -> Any:
    """The field of this name in every node that takes images."""
    return described(
        "raw",
        "raw: sensor_msgs/Image on image; compressed: sensor_msgs/CompressedImage on "
        "image/compressed",
        pattern="raw|compressed",
        allowed="raw, compressed",
    )


@dataclass(frozen=True)
class Described:
    """Base of a node's settings: a frozen dataclass whose fields are `described`.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            problem = _problem(each, getattr(self, each.name))
            if problem:
                raise ValueError(problem)

    def changed(self: S, values: dict[str, Any]) -> S:
        """A copy with some values replaced; raises ValueError as the constructor does."""
        return replace(self, **values)


S = TypeVar("S", bound=Described)


def _problem(each: Any, value: Any) -> str:
    """What is wrong with a value, in one line; empty when it is fine."""
    bounds, pattern = each.metadata["range"], each.metadata["pattern"]
    if bounds and not bounds[0] <= value <= bounds[1]:
        return f"parameter {each.name} is {value}: give a value from {bounds[0]} to {bounds[1]}"
    if pattern and not re.fullmatch(pattern, value):
        return f"parameter {each.name} is '{value}': give {each.metadata['allowed']}"
    return ""


def declare_settings(node: Any, kind: type[S]) -> S:
    """Declare every parameter of `kind` on an rclpy node; the values that overrides gave.

    Raises:
        ValueError: a value outside its range or choices.
        rclpy.exceptions.ParameterException: an override of the wrong type or range.
    """
    values = {
        each.name: node.declare_parameter(each.name, each.default, _descriptor(each)).value
        for each in fields(kind)
    }
    return kind(**values)


def values_for(kind: type[Described], parameters: Any) -> dict[str, Any]:
    """Name -> value of those rclpy parameters that are settings of `kind`."""
    names = {each.name for each in fields(kind)}
    return {each.name: each.value for each in parameters if each.name in names}


def _descriptor(each: Any) -> Any:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    rules = each.metadata
    descriptor = ParameterDescriptor(
        description=rules["description"],
        additional_constraints=rules["allowed"],
        read_only=not rules["live"],
    )
    if rules["range"] and isinstance(each.default, int):
        low, high = rules["range"]
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    elif rules["range"]:
        low, high = rules["range"]
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _allowed(each: Any) -> str:
    bounds = each.metadata["range"]
    return f"{bounds[0]} … {bounds[1]}" if bounds else each.metadata["allowed"]


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def table_of(kind: type[Described]) -> str:
    """The README's table of a node's parameters."""
    lines = ["| parameter | default | allowed | while running | meaning |", "|---|---|---|---|---|"]
    for each in fields(kind):
        live = "may change" if each.metadata["live"] else "read-only"
        lines.append(
            f"| `{each.name}` | `{_literal(each.default)}` | {_allowed(each)} | {live} "
            f"| {each.metadata['description']} |"
        )
    return "\n".join(lines) + "\n"


def yaml_of(kind: type[Described]) -> str:
    """The text of a parameters file with the defaults, for a node of any name."""
    lines = ["/**:", "  ros__parameters:"]
    for name, value in asdict(kind()).items():
        lines.append(f"    {name}: {_literal(value)}")
    return "\n".join(lines) + "\n"
