"""Every refusal and warning about what comes in has a row in docs/troubleshooting.md, and a remedy.

The messages are read from the source: texts of `BadInput` and of throttled warnings, and every
other text that has the form of a message, whether it is yielded, returned or kept in a constant.
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
TEXTS = (ast.Constant, ast.JoinedStr, ast.BinOp)
PARTS_OF_A_TEXT = (ast.Expr, ast.JoinedStr, ast.FormattedValue, ast.BinOp)  # Expr: a docstring
SHORTEST = 25
NOT_SAID = {"settings.py"}  # descriptions of parameters
WORDS = 4  # of a message, in a row, that must be on the page


def sources() -> list[Path]:
    package = ROOT / "im2hands_ros"
    files = [*(package / name for name in FILES), *sorted((package / "tracking").glob("*.py"))]
    return [each for each in files if each.name not in NOT_SAID]


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


def messages(source: Path) -> Iterator[tuple[int, str]]:
    """Line and text of what a file says to the user: what is wrong, a colon, what to do."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    parts = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node, parent in parts.items():
        if isinstance(parent, PARTS_OF_A_TEXT) or not isinstance(node, TEXTS):
            continue
        text = literal(node)
        if len(text) > SHORTEST and (is_given(parent) or re.search(r"\w: [a-z]", text)):
            yield node.lineno, text


def is_given(node: ast.AST) -> bool:
    """Whether a node refuses or warns."""
    name = getattr(getattr(node, "func", None), "id", "")
    attribute = getattr(getattr(node, "func", None), "attr", "")
    return {name, attribute} & {"BadInput", "warn_throttled", "error_throttled"} != set()


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
    for line, text in messages(source)
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
