"""What the arguments of the launch files may be, checked before any process is started.

`ros2 launch` takes any name in silence, and an error about a value does not say of which argument.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

# Of `launch` itself: every launch file takes them.
LAUNCH_S_OWN = frozenset(
    {"launch-prefix", "launch-prefix-filter", "emulate_tty", "sigterm_timeout", "sigkill_timeout"}
)
TRUE = ("true", "True", "TRUE", "1")
_TRUTHS = (*TRUE, "false", "False", "FALSE", "0")
_WORD = r"([A-Za-z_]|\{\w+\})(\w|\{\w+\})*"
_TOPIC = re.compile(rf"(~/|/)?{_WORD}(/{_WORD})*", re.ASCII)
_NAMESPACE = re.compile(rf"/?({_WORD}(/{_WORD})*/?)?", re.ASCII)


def _number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


# Kind of a value -> whether a text is one, and what to give. Texts (str) may be anything: the
# program that gets them knows more about them.
KINDS: dict[object, tuple[Callable[[str], object], str]] = {
    int: (lambda value: re.fullmatch(r"[+-]?\d+", value, re.ASCII), "give a whole number"),
    float: (_number, "give a number"),
    bool: (lambda value: value in _TRUTHS, "give true or false"),
    "topic": (
        _TOPIC.fullmatch,
        "give a topic's name, letters, digits and _ with / between, such as /camera/image_raw",
    ),
    "namespace": (
        _NAMESPACE.fullmatch,
        "give letters, digits and _ with / between, such as /robot1",
    ),
    "file": (lambda value: Path(value).is_file(), "give a file that is there"),
}


def check_value(name: str, value: str, kind: object) -> None:
    """Refuse what an argument cannot be.

    Args:
        name, value: of the argument; empty where it was not given, unless it is a topic.
        kind: one of `KINDS`, anything else for what is not checked here.

    Raises:
        ValueError: names argument, value and remedy.
    """
    accepted, remedy = KINDS.get(kind, (None, ""))
    if accepted is None or (not value and kind != "topic") or accepted(value):
        return
    if kind == "file" and not os.path.isabs(value):
        remedy += f", from {os.getcwd()} on or with its whole path"
    raise ValueError(f"launch argument {name} is '{value}': {remedy}")


def check_names(given: Iterable[str], known: Collection[str], file: str) -> None:
    """Refuse arguments that nothing reads.

    Args:
        given: as on the command line, ``name:=value``.
        known: names that the launch file declares. file: its name.

    Raises:
        ValueError: names the argument and, where one is alike, that which may be meant.
    """
    for argument in given:
        name = argument.partition(":=")[0]
        if name in known or name in LAUNCH_S_OWN:
            continue
        alike = get_close_matches(name, known, 1)
        remedy = f"give {alike[0]}" if alike else f"'{file} --show-args' lists those there are"
        raise ValueError(f"launch argument {argument} is not known: {remedy}")
