"""Whether a log line in the documentation is one that the product writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from doc_pages import ROOT, files

# Words of log lines that are values there: topics, stages, policies, transitions.
VALUES = {
    "configure",
    "false",
    "image",
    "initial",
    "keypoints",
    "refinement",
    "reliable",
    "volatile",
}


def not_in_code(line: str) -> list[str]:
    """The parts of a log line, between the values in it, that no string of the code holds."""
    literal = " ".join("\0" if is_a_value(word) else word for word in line.split())
    parts = [part.strip() for part in re.split(r"[\0\s]*\0[\0\s]*", literal)]
    return [
        piece
        for part in parts
        if part not in text_in_code()
        for piece in re.split(r":(?: |$)", part)
        if piece not in text_in_code()
    ]


def is_a_value(word: str) -> bool:
    """Whether a word of a log line stands for whatever is there: a number, a name, an ellipsis."""
    return bool(re.search(r"[\d…'/_]|^--", word)) or word.strip(",:;()") in VALUES


@cache
def text_in_code() -> str:
    """The product's strings, a line each; in them \0 for every value."""
    product = [f for f in files() if f.startswith(("im2hands_ros/", "scripts/", "launch/"))]
    texts = {f: (ROOT / f).read_text(encoding="utf-8", errors="ignore") for f in product}
    trees = [ast.parse(text) for name, text in texts.items() if name.endswith(".py")]
    strings = [string for tree in trees for string in strings_of(tree)]
    shell = [text for name, text in texts.items() if name.endswith(".sh")]
    return "\n".join([*(" ".join(string.split()) for string in strings), *shell])


def strings_of(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, an f-string as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = (v.value if isinstance(v, ast.Constant) else "\0" for v in node.values)
            yield "".join(map(str, values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
