"""Every refusal and warning about what comes in has a row in docs/troubleshooting.md, and a remedy.

The messages are read from the source: texts of `BadInput`, of throttled warnings, and of pairs of a
kind and a text that are yielded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
# What images, calibrations and keypoints go through; the viewer reads results, which are ours.
READ_IN = ("images", "encodings", "camera_info", "keypoints", "named_poses", "matching", "stamps")
FILES = (
    *("checks.py", "unlike_metres.py", "camera.py", "lens.py", "pictures.py"),
    *(f"messages/{name}.py" for name in READ_IN),
    *(
        f"ros/{name}.py"
        for name in ("base_node", "inputs", "image_inputs", "processing", "silence")
    ),
)
WORDS = 3  # of a message, in a row, that must be on the page


def sources() -> list[Path]:
    package = ROOT / "im2hands_ros"
    return [*(package / name for name in FILES), *sorted((package / "tracking").glob("*.py"))]


def literal(node: ast.AST) -> str:
    """The text of a string expression, with … where it has values; empty for what is no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "…"
    if isinstance(node, ast.JoinedStr):
        return "".join(map(literal, node.values))
    if isinstance(node, ast.FormattedValue):
        return "…"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal(node.left) + literal(node.right)
    if isinstance(node, ast.IfExp):
        return "…"
    return ""


def messages(source: Path) -> Iterator[tuple[str, int, str]]:
    """Kind, line and text of what a file says to the user."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("BadInput", "warn_throttled", "error_throttled"):
                parts = node.args
        elif isinstance(node, (ast.Yield, ast.Return)) and isinstance(node.value, ast.Tuple):
            parts = node.value.elts
        if len(parts) == 2 and (text := literal(parts[1])) and " " in text:
            yield literal(parts[0]), node.lineno, text


def words(text: str) -> list[str]:
    return re.findall(r"[\w'()/.]+|…", text)


def runs_of(text: str) -> list[str]:
    """So many words in a row without a value between them; none of what only passes values on."""
    each = words(text)
    runs = [each[i : i + WORDS] for i in range(len(each) - WORDS + 1)]
    return [" ".join(run) for run in runs if "…" not in run]


ALL = [
    pytest.param(text, id=f"{source.stem}-{line}")
    for source in sources()
    for _, line, text in messages(source)
    if runs_of(text)
]

PAGE_WORDS = " ".join(words(PAGE.read_text(encoding="utf-8").replace("`", " ")))


def test_the_messages_are_found() -> None:
    assert len(ALL) > 40


@pytest.mark.parametrize("text", ALL)
def test_a_message_has_a_row(text: str) -> None:
    assert any(run in PAGE_WORDS for run in runs_of(text)), text


@pytest.mark.parametrize("text", ALL)
def test_a_message_names_a_remedy(text: str) -> None:
    """What is wrong, a colon, and what to do."""
    assert ": " in text or text.endswith("…"), text
