"""A report's files: how it was made, so that it can be repeated, and its tables."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from im2hands_ros.pipeline import WEIGHTS, Im2Hands


def check_report_path(path: Path) -> None:
    """Raise ValueError for a --out that `write_report` could not use."""
    if path.suffix != ".json":
        raise ValueError(f"--out {path}: give a .json file; the tables go beside it as .md")


def write_report(path: Path, report: dict[str, Any], text: str) -> None:
    """Write the .json file, and the text as the .md file of the same name; print the text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def format_row(row: dict[str, Any], columns: dict[str, tuple[str, str]]) -> list[str]:
    """Cells of a row; empty where it has no such value.

    columns: name of the value -> title and format.
    """
    return [form.format(row[name]) if name in row else "" for name, (_, form) in columns.items()]


def markdown_table(titles: list[str], rows: Iterable[list[str]], left: int) -> list[str]:
    """Lines of a table; all but the first `left` columns are aligned right."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (titles, *rows)]
    lines.insert(1, "|" + "---|" * left + "---:|" * (len(titles) - left))
    return lines


def command_of(args: argparse.Namespace, command: str) -> str:
    """The command line with every option, those that were not given as well."""
    words = ["im2hands", command]
    for name, value in sorted(vars(args).items()):
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def describe_weights(model: Im2Hands, path: Path | None) -> dict[str, Any]:
    """The weights' file, its SHA-256, the stages that it holds and the record of their making."""
    file = describe_file(WEIGHTS / "compact.safetensors" if path is None else path)
    return {**file, "stages": list(model.stages), "record": model.record}


def describe_file(path: Path) -> dict[str, str]:
    """Its name and SHA-256."""
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
