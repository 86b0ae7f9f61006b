"""Whether a command in the documentation can be given as it stands, without running it."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import yaml
from doc_pages import ROOT

from im2hands_ros import cli

# Programs of others: that they are installed is not this repository's affair.
OUTSIDE = {
    *("apt-get", "cat", "cd", "colcon", "docker", "echo", "export", "git", "nvidia-smi", "rosdep"),
    *("ssh", "sqlite3", "sysctl", "pre-commit"),
}
_OUR_TOOLS = {"mypy", "pip", "pytest", "ruff", "venv"}  # run with `python -m`
_MADE_UP = re.compile(r"[A-Z_]+|[A-Z…].*|…|\[.*")  # FILE, OUT.glb, SEED, …

_OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")

Check = Callable[[list[str]], list[str]]


def is_command(text: str) -> bool:
    """Whether a piece of text in backticks is a command that `problems` knows how to check."""
    commands = _simple_commands(text)
    if not commands or not commands[0]:
        return False
    first, *rest = commands[0]
    return first.startswith("scripts/") or (bool(rest) and first in {**CHECKS, "docker": None})


def problems(text: str, complete: bool = False) -> list[str]:
    """What is wrong with a line of shell; empty when every part of it can be given so.

    `complete`: it stands for itself, so no required option may be missing.
    """
    found = []
    for program, *arguments in filter(None, _simple_commands(text)):
        if program in CHECKS:
            found += CHECKS[program](arguments)
            found += _missing_options(arguments) if complete and program == "im2hands" else []
        elif program.startswith(("scripts/", ".ci/")):
            found += _file(program)
        elif program not in OUTSIDE:
            found.append(f"'{program}' is no program that this test knows")
    return found


def _simple_commands(text: str) -> list[list[str]]:
    """Words of each command of a line; assignments, loops and `nice` taken off."""
    lexer = shlex.shlex(re.sub(r"<[^<>]*>", "SOMETHING", text), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= set(";&|"):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:  # an apostrophe in a sentence
        return []
    return [_without_prefix(command) for command in commands]


def _without_prefix(words: list[str]) -> list[str]:
    if words[:1] == ["for"] or words == ["done"]:
        return []
    while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] in ("do", "exec")):
        words = words[1:]
    return words


def _file(path: str) -> list[str]:
    return [] if (ROOT / path).exists() else [f"there is no {path}"]


@cache
def _help_of(*command: str) -> str:
    """What `im2hands COMMAND --help` prints, or `python -m MODULE --help`."""
    if command[0] == "im2hands":
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
            cli.main([*command[1:], "--help"])
        return printed.getvalue()
    done = subprocess.run(
        [sys.executable, *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def _unknown_options(command: tuple[str, ...], arguments: list[str]) -> list[str]:
    text = _help_of(*command)
    known = set().union(*_options_of(text))
    given = [word.split("=")[0] for word in arguments if re.match(r"\[?--?[a-z]", word)]
    name = " ".join(command)
    found = [f"{name} has no {option}" for option in given if option.strip("[]") not in known]
    choices = re.search(r"^ {2}\{([\w,-]+)\}", text, re.M)
    if choices and arguments and not ({*choices[1].split(","), "STAGE"} & set(arguments)):
        found.append(f"{name} wants one of {choices[1]}")
    return found


def _missing_options(arguments: list[str]) -> list[str]:
    text = _help_of("im2hands", arguments[0])
    usage = re.sub(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]", "", text.split("\n\n")[0])
    needed = set(_OPTION.findall(usage))
    missing = [names for names in _options_of(text) if names & needed and not names & {*arguments}]
    return [f"{min(names)} is missing" for names in missing]


def _options_of(help_text: str) -> list[set[str]]:
    """The spellings of each option that a help text lists."""
    heads = re.findall(r"^ {2,4}(-.*?)(?:  .*)?$", help_text, re.M)
    return [set(_OPTION.findall(head)) for head in heads]


def _im2hands(arguments: list[str]) -> list[str]:
    if not arguments or _MADE_UP.fullmatch(arguments[0]):
        return []
    if arguments[0] not in cli.COMMANDS:
        return [f"im2hands has no '{arguments[0]}'"]
    return _unknown_options(("im2hands", arguments[0]), arguments[1:])


def _python(arguments: list[str]) -> list[str]:
    if arguments[0] == "-c":
        return []
    if arguments[0] != "-m":
        return _script(arguments[0], arguments[1:])
    module, rest = arguments[1], arguments[2:]
    if module == "im2hands_ros.cli":
        return _im2hands(rest)
    if module in _OUR_TOOLS:
        return _pip(rest) if module == "pip" else []
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.is_file() or '__name__ == "__main__"' not in path.read_text(encoding="utf-8"):
        return [f"python -m {module} is no program"]
    return _unknown_options(("-m", module), rest) if rest else []


def _script(path: str, arguments: list[str]) -> list[str]:
    if _file(path):
        return _file(path)
    text = (ROOT / path).read_text(encoding="utf-8")
    options = [word.split("=")[0] for word in arguments if word.startswith("-")]
    known = {*re.findall(r'"(--?[\w-]+)"', text), "--ros-args", "-r", "-p"}
    return [f"{path} has no {option}" for option in options if option not in known]


def _source(arguments: list[str]) -> list[str]:
    return [] if arguments == ["install/setup.bash"] else _file(arguments[0])


def _torchrun(arguments: list[str]) -> list[str]:
    return _python(arguments[arguments.index("-m") :]) if "-m" in arguments else []


def _pip(arguments: list[str]) -> list[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^([\w-]+) = \[", section, re.M))
    asked = re.findall(r"(?:^|\s)(?:\.|im2hands_ros)\[([\w,-]+)\]", " ".join(arguments))
    unknown = {name for each in asked for name in each.split(",")} - extras
    return [f"there is no extra '{name}'" for name in sorted(unknown)]


def _make(arguments: list[str]) -> list[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = []
    for word in arguments:
        name, is_variable, _ = word.partition("=")
        pattern = rf"\$\({name}\)|^{name} \?=" if is_variable else rf"^{name}:"
        if word != "…" and not re.search(pattern, text, re.M):
            found.append(f"the Makefile has no {name}")
    return found


def _ros2(arguments: list[str]) -> list[str]:
    what, *rest = arguments
    if what in ("launch", "run") and rest[:1] == ["im2hands_ros"]:
        return _launch(rest[1:]) if what == "launch" else _run(rest[1:])
    if arguments[:3] == ["param", "set", "/im2hands"]:
        return [f"no parameter '{arguments[3]}'"] if arguments[3] not in _parameters() else []
    return [] if what in ("topic", "lifecycle", "param", "pkg", "service") else [f"ros2 {what}?"]


def _launch(arguments: list[str]) -> list[str]:
    file, *rest = arguments
    if _file(f"launch/{file}"):
        return _file(f"launch/{file}")
    texts = [ROOT / "launch" / file, ROOT / "im2hands_ros/ros/launching.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in texts)
    given = [word.partition(":=")[0] for word in rest if ":=" in word]
    return [f"{file} has no argument '{name}'" for name in given if f'"{name}"' not in text]


def _run(arguments: list[str]) -> list[str]:
    program, *rest = arguments
    names = [word.partition(":=")[0] for word in rest if ":=" in word]
    unknown = [name for name in names if program == "im2hands" and name not in _parameters()]
    return _file(f"scripts/ros/{program}") + [f"no parameter '{name}'" for name in unknown]


@cache
def _parameters() -> frozenset[str]:
    text = (ROOT / "config/im2hands.yaml").read_text(encoding="utf-8")
    return frozenset(yaml.safe_load(text)["/**"]["ros__parameters"])


CHECKS: dict[str, Check] = {
    "im2hands": _im2hands,
    "make": _make,
    "pip": _pip,
    "python": _python,
    "python3": _python,
    "ros2": _ros2,
    "source": _source,
    "torchrun": _torchrun,
}
