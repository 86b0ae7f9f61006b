"""Parameters as one frozen dataclass with defaults, ranges and descriptions; no ROS here.

From the same fields come the check of a value, the declaration on a ROS node
(`im2hands_ros.ros.base_node`), the parameters file and the tables in the docs.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

T = TypeVar("T")
S = TypeVar("S", bound="ParameterSchema")


def parameter(
    default: T,
    description: str,
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    pattern: str = "",
    live: bool = False,
) -> T:
    """A field of a `ParameterSchema`.

    Args:
        default: its type is the parameter's.
        description: what a user must know; `unit` is added in brackets.
        unit: of the value.
        range: smallest and largest value.
        choices: all it may be.
        pattern: regular expression of all it may be, where `choices` cannot list it.
        live: whether it may change while the node runs; else it is read-only.
    """
    rules = {
        "description": f"{description} ({unit})" if unit else description,
        "range": range,
        "allowed": ", ".join(choices),
        "pattern": pattern or "|".join(map(re.escape, choices)),
        "live": live,
    }
    described: Any = field(default=default, metadata=rules)
    return described


def image_transport() -> str:
    """The parameter of this name of every node that takes images."""
    return parameter(
        "raw",
        "raw: sensor_msgs/Image on image; compressed: sensor_msgs/CompressedImage on "
        "image/compressed",
        choices=("raw", "compressed"),
    )


@dataclass(frozen=True)
class ParameterSchema:
    """Base of settings: a frozen dataclass whose fields are made by `parameter`.

    Raises:
        ValueError: a value outside its range or choices; names the parameter, value and remedy.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            _check(each, getattr(self, each.name))

    def changed(self: S, values: dict[str, Any]) -> S:
        """A copy with those values that are settings of this schema; raises as the constructor."""
        names = {each.name for each in fields(self)}
        return replace(self, **{name: values[name] for name in names & values.keys()})


def _check(each: Field, value: Any) -> None:
    bounds, pattern = each.metadata["range"], each.metadata["pattern"]
    if bounds and not bounds[0] <= value <= bounds[1]:
        raise ValueError(
            f"parameter {each.name} is {value}: give a value from {bounds[0]} to {bounds[1]}"
        )
    if pattern and not re.fullmatch(pattern, value):
        raise ValueError(f"parameter {each.name} is '{value}': give {each.metadata['allowed']}")


def table_of(kind: type[ParameterSchema]) -> str:
    """The Markdown table of the parameters, for the docs."""
    lines = ["| parameter | default | allowed | while running | meaning |", "|---|---|---|---|---|"]
    for each in fields(kind):
        rules = each.metadata
        live = "may change" if rules["live"] else "read-only"
        allowed = "{} … {}".format(*rules["range"]) if rules["range"] else rules["allowed"]
        lines.append(
            f"| `{each.name}` | `{_literal(each.default)}` | {allowed} | {live} "
            f"| {rules['description']} |"
        )
    return "\n".join(lines) + "\n"


def yaml_of(kind: type[ParameterSchema]) -> str:
    """The text of a parameters file with the defaults, for a node of any name."""
    lines = ["/**:", "  ros__parameters:"]
    lines += [f"    {name}: {_literal(value)}" for name, value in asdict(kind()).items()]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def print_parameters(kind: type[ParameterSchema]) -> None:
    """A settings module as a program: print `table_of`, or `yaml_of` with `--yaml`."""
    parser = argparse.ArgumentParser(description="Print a node's parameters as a Markdown table.")
    parser.add_argument("--yaml", action="store_true", help="print a parameters file instead")
    print(yaml_of(kind) if parser.parse_args().yaml else table_of(kind), end="")
