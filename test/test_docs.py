"""What the documentation names is there: paths, commands, modules, names, log lines, anchors.

`python test/support/doc_pages.py` lists what is checked.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import doc_commands
import pytest
import trimesh
from doc_pages import (
    PAGES,
    ROOT,
    SPHINX_INDEX,
    Reference,
    fences,
    files,
    links,
    modules,
    paths,
    shell_lines,
    spans,
)
from log_lines import not_in_code

from im2hands_ros import __version__, cli

LIMITS = {"README.md": 9000, "CONTRIBUTING.md": 9000}

# Files that a reader has, or that a command writes.
USERS_FILES = {
    *("my_camera.yaml", "hands.mp4", "hands.mcap", "overlay.mp4", "recovered.db3"),
    *("MANO_LEFT.pkl", "MANO_RIGHT.pkl", "ref_occ.pt", "kpts_ref.pt", "right.glb", "summary.json"),
    *("ref_occ.safetensors", "paper.safetensors", "best.safetensors", "latest.safetensors"),
    *("hand_webxr.npz", "hand_leap.npz", "hand_leap_hipoly.npz", "other.npz", "log.jsonl"),
    *("hands.yaml", "hands_leap.yaml", "held_webxr.safetensors", "held_leap.safetensors"),
    *("interhand.json", "interhand.md", "evaluate.json", "test.json"),
}
# Folders that only the interface generator makes.
NEVER_IN_THE_TREE = {"im2hands_ros/msg/", "im2hands_ros/srv/"}
# Names of other projects, systems and file formats.
FOREIGN = {
    *("PIP_BREAK_SYSTEM_PACKAGES", "ROS_SECURITY_STRATEGY", "helpers", "human_annot"),
    *("machine_annot", "nice", "nvidia", "ssh", "sysctl"),
}
PACKAGE_ROOMS = ("", "im2hands_ros/", "docs/", "docs/benchmarks/", "launch/")


def check(references: list[Reference], problem: Callable[[Reference], str]) -> None:
    """Fails with a line for each reference that is wrong, and when there is nothing to check."""
    assert references, "no reference of this kind was found: the pages are not read"
    wrong = [f"{each}  <- {text}" for each in references if (text := problem(each))]
    assert not wrong, f"{len(wrong)} of {len(references)} are wrong:\n" + "\n".join(wrong)


@pytest.mark.parametrize("name", LIMITS)
def test_a_page_is_short(name: str) -> None:
    assert len((ROOT / name).read_bytes()) <= LIMITS[name]


def test_links_lead_somewhere() -> None:
    def problem(link: Reference) -> str:
        path, _, anchor = link.text.partition("#")
        if "://" in path:
            return ""
        target = (link.page.parent / path).resolve() if path else link.page
        if not target.exists():
            return "no such file"
        return "no such heading" if anchor and anchor not in anchors(target) else ""

    check(links(), problem)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_readme_leads_to_every_page() -> None:
    linked = {link.text for link in links() if link.page == ROOT / "README.md"}
    pages = {str(page.relative_to(ROOT)) for page in PAGES if page != SPHINX_INDEX} - {"README.md"}
    assert pages - linked == set()


def test_paths_exist() -> None:
    def problem(path: Reference) -> str:
        if path.text in NEVER_IN_THE_TREE:
            return "is there" if (ROOT / path.text).exists() else ""
        if Path(path.text).name in USERS_FILES or exists(path.text):
            return ""
        return "" if re.match(r"(OUT|OVERLAY)(/|\.)", path.text) else "no such file"

    check(paths(), problem)


def exists(path: str) -> bool:
    """Whether a file or folder of this name, or pattern, is in the tree."""
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}", "*", path.removeprefix("./")).rstrip("/")
    for room in PACKAGE_ROOMS:
        for file in files():
            if fnmatch.fnmatch(file, room + pattern) or fnmatch.fnmatch(file, f"{room}{pattern}/*"):
                return True
    return "/" not in pattern and any(fnmatch.fnmatch(Path(f).name, pattern) for f in files())


def test_users_files_are_still_spoken_of() -> None:
    named = {Path(path.text).name for path in paths()}
    assert USERS_FILES - named == set()


@pytest.mark.slow
def test_commands_can_be_given() -> None:
    in_text = [span for span in spans() if doc_commands.is_command(span.text)]
    check(in_text, lambda each: "; ".join(doc_commands.problems(each.text)))
    check(shell_lines(), lambda each: "; ".join(doc_commands.problems(each.text, complete=True)))


def test_the_command_page_has_every_subcommand() -> None:
    text = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `im2hands ([\w-]+)", text, re.M)) == set(cli.COMMANDS)


def test_the_readmes_citation_is_of_this_version() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"version = \{(.*)\}", text) == [__version__]


def test_modules_and_what_is_named_in_them_exist() -> None:
    check(modules(), lambda name: "" if is_defined(name.text) else "not defined")


def is_defined(dotted: str) -> bool:
    """Whether a dotted name is a module, or defined, imported or exported in one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        source = next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists()), 0)
        if source or path.is_dir():
            return count == len(parts) or (bool(source) and parts[count] in _names_of(source))
    return False


@cache
def _names_of(source: Path) -> set[str]:
    """Words of a module; a package may define names in a table of exports."""
    return set(re.findall(r"\w+", source.read_text(encoding="utf-8")))


def test_names_occur_in_the_code() -> None:
    def problem(span: Reference) -> str:
        unknown = set(re.findall(r"(?<![\w.%/-])[A-Za-z]\w*", span.text)) - vocabulary() - FOREIGN
        return ", ".join(sorted(name for name in unknown if len(name) > 2))

    named = [span for span in spans() if not doc_commands.is_command(span.text)]
    check(named, problem)


@cache
def vocabulary() -> frozenset[str]:
    """Every word of the code, without the documentation and its tests."""
    ours = [f for f in files() if not f.endswith((".md", ".rst", ".npz", ".gz", ".png"))]
    ours = [f for f in ours if not f.startswith(("docs/", "test/test_doc", "test/support/doc_"))]
    texts = [(ROOT / f).read_text(encoding="utf-8", errors="ignore") for f in ours]
    names = [Path(f).stem for f in files()]
    return frozenset(re.findall(r"\w+", " ".join([*texts, *names])))


def test_log_lines_of_the_troubleshooting_page_are_in_the_code() -> None:
    def problem(line: Reference) -> str:
        return "; ".join(f"no '{part}' in the code" for part in not_in_code(line.text))

    page = ROOT / "docs/troubleshooting.md"
    quoted = [span for span in spans() if span.page == page and len(span.text.split()) > 5]
    check([span for span in quoted if not doc_commands.is_command(span.text)], problem)


def test_the_frames_path_is_a_path_of_files() -> None:
    text = (ROOT / "docs/how-it-works.md").read_text(encoding="utf-8")
    table = text.partition("<!-- frame path:start -->")[2].partition("<!-- frame path:end -->")[0]
    rows = [line.split("|")[1] for line in table.strip().splitlines()[2:]]
    path = [file for row in rows for file in re.findall(r"`([^`]+)`", row)]
    assert 10 < len(rows) <= 25 and len(path) >= len(rows)
    assert [file for file in path if not (ROOT / "im2hands_ros" / file).is_file()] == []
    twice = {file for file in path if path.count(file) > 1}
    assert twice <= {"ros/node.py", "tracking/tracker.py"}


@pytest.mark.slow
def test_the_readmes_python_runs_as_it_stands(tmp_path: Path) -> None:
    (block,) = [fence for fence in fences("python") if fence.page == ROOT / "README.md"]
    statements = [line for line in block.lines if line]
    assert len(statements) <= 10
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(block.lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert trimesh.load(tmp_path / "left.ply").is_watertight
    assert done.stdout.strip().endswith("True (21, 3) ('initial', 'keypoints', 'refinement')")
