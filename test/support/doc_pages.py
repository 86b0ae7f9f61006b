"""What the documentation refers to: links, paths, commands and names, each with its page and line.

`python test/support/doc_pages.py` lists all references that `test/test_docs.py` checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SPHINX_INDEX = ROOT / "docs/index.md"  # lists the other pages for `make docs`
_NOT_SOURCE = {".git", ".venv", "build", "install", "log", "demo_out", "runs", "__pycache__"}
_PATH = re.compile(r"[\w.{},*<>-]+(/[\w.{},*<>-]*)*")
_SOURCE = (".py", ".md", ".sh", ".rst", ".toml", ".cff", ".rviz", ".msg", ".srv", ".svg")
_DATA = (
    *(".yaml", ".json", ".jsonl", ".npz", ".safetensors", ".png", ".xml", ".txt", ".mp4"),
    *(".mcap", ".db3", ".ply", ".glb", ".pkl", ".pt", ".task"),
)


@dataclass(frozen=True)
class Reference:
    """A piece of text on a line of a page."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language and its lines, the first of them on line `line`."""

    page: Path
    line: int
    language: str
    lines: list[str]


@cache
def _parts(page: Path) -> tuple[list[Fence], str]:
    """The fenced blocks of a page, and its other text with those lines left empty."""
    fences: list[Fence] = []
    prose: list[str] = []
    open_fence: Fence | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if open_fence is None:
                open_fence = Fence(page, number + 1, line[3:].strip(), [])
                fences.append(open_fence)
            else:
                open_fence = None
            prose.append("")
        elif open_fence is not None:
            open_fence.lines.append(line)
            prose.append("")
        else:
            prose.append(line)
    return fences, "\n".join(prose)


def fences(language: str) -> list[Fence]:
    """The fenced blocks of all pages in this language."""
    return [fence for page in PAGES for fence in _parts(page)[0] if fence.language == language]


def _matches(pattern: str) -> Iterator[Reference]:
    for page in PAGES:
        text = _parts(page)[1]
        for found in re.finditer(pattern, text):
            line = text.count("\n", 0, found.start()) + 1
            yield Reference(page, line, " ".join(found[1].replace("\\|", "|").split()))


def links() -> list[Reference]:
    """Targets of links and images."""
    return list(_matches(r"\]\(([^)\s]+)\)"))


def spans() -> list[Reference]:
    """Text in backticks."""
    double = list(_matches(r"(?<!`)``\s(.+?)\s``(?!`)"))
    return double + list(_matches(r"(?<!`)`([^`]+)`(?!`)"))


def shell_lines() -> list[Reference]:
    """Commands of the blocks in `sh`, continuation lines joined, comments removed."""
    found = []
    for fence in fences("sh"):
        joined, first = "", fence.line
        for number, line in enumerate(fence.lines, fence.line):
            first = first if joined else number
            joined += re.sub(r"(^|\s)#\s.*$", "", line).rstrip()
            if joined.endswith("\\"):
                joined = joined[:-1] + " "
            elif joined:
                found.append(Reference(fence.page, first, joined))
                joined = ""
    return found


def modules() -> list[Reference]:
    """Dotted names that begin with `im2hands_ros.`, wherever they stand."""
    found = []
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for name in re.findall(r"\bim2hands_ros(?:\.[A-Za-z_]\w*)+", line):
                found.append(Reference(page, number, name))
    return found


def paths() -> list[Reference]:
    """Words in backticks and in commands that name a file or folder."""
    return [
        Reference(each.page, each.line, word)
        for each in (*spans(), *shell_lines())
        for word in map(_cleaned, each.text.split())
        if _is_path(word)
    ]


def _cleaned(word: str) -> str:
    return word.strip("'\"`,;:()").rpartition("=")[2].replace("…", "*")


def _is_path(word: str) -> bool:
    if not _PATH.fullmatch(word) or re.fullmatch(r"\*?\.\w+", word):
        return False
    return word.endswith((*_SOURCE, *_DATA)) or ("/" in word and word.split("/")[0] in _rooms())


@cache
def _rooms() -> frozenset[str]:
    """Folders of the checkout and of the package; `data/` in a page is the reader's own."""
    package = [path.name for path in (ROOT / "im2hands_ros").iterdir() if path.is_dir()]
    return frozenset({path.split("/")[0] for path in files()} | set(package)) - {"data"}


@cache
def files() -> tuple[str, ...]:
    """Every file of the checkout, relative to it; what is built or installed left out."""

    def walk(folder: Path) -> Iterator[str]:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                if path.name not in _NOT_SOURCE and not path.name.endswith(("_cache", "egg-info")):
                    yield from walk(path)
            elif path.is_file():
                yield str(path.relative_to(ROOT))

    return tuple(walk(ROOT))


if __name__ == "__main__":
    for references in (links, paths, modules, shell_lines, spans):
        listed = references()
        print(f"== {len(listed)} {references.__name__}", *listed, sep="\n")
