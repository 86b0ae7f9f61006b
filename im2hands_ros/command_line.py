"""What subcommands share: options made from a parameter schema, intrinsics as text."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from im2hands_ros.parameter_schema import ParameterSchema

    S = TypeVar("S", bound=ParameterSchema)


Intrinsics = tuple[float, float, float, float]  # fx, fy, cx, cy, pixels


def add_settings(group: Any, kind: type[ParameterSchema]) -> None:
    """An option for every field of a parameter schema, with its default and description."""
    for each in fields(kind):
        default, text = each.default, each.metadata["description"]
        if isinstance(default, bool):
            how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            how = {"type": type(default), "metavar": each.name.rpartition("_")[2].upper()}
        option = f"--{each.name.replace('_', '-')}"
        group.add_argument(option, default=default, help=f"{text} ({default!r})", **how)


def settings_from(args: argparse.Namespace, kind: type[S]) -> S:
    """The settings that `add_settings` read. Raises ValueError for a value out of range."""
    return kind(**{each.name: getattr(args, each.name) for each in fields(kind)})


def intrinsics_from(text: str | None) -> Intrinsics | None:
    """fx, fy, cx, cy of "FX,FY,CX,CY", pixels. Raises ValueError for anything else."""
    if text is None:
        return None
    try:
        fx, fy, cx, cy = (float(value) for value in text.split(","))
    except ValueError:
        raise ValueError(f"--camera {text}: give four numbers, fx,fy,cx,cy in pixels") from None
    return fx, fy, cx, cy
