"""Workflow, container, hooks and templates name what exists, at the versions of requirements/."""

from __future__ import annotations

import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import im2hands_ros

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = {"Humble", "Iron", "Jazzy", "Kilted", "Lyrical", "Rolling"}
# Files in which a path of the repository is written, beside the pages.
PROJECT_FILES = [
    ".github/workflows/ci.yml",
    ".github/ISSUE_TEMPLATE/bug.yml",
    ".github/ISSUE_TEMPLATE/feature.yml",
    ".github/PULL_REQUEST_TEMPLATE.md",
    ".pre-commit-config.yaml",
    "CITATION.cff",
    "Dockerfile",
]
PATH = re.compile(
    r"(?<![\w/.:-])(?:(?:config|docs|launch|requirements|scripts|test)/[\w/.-]+"
    r"|(?:README|CONTRIBUTING|CHANGELOG)\.\w+|package\.xml)"
)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def pins() -> dict[str, set[str]]:
    """Package -> the versions that requirements/ names, one per Python."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.MULTILINE):
            found.setdefault(name, set()).add(version)
    return found


def workflow() -> dict:
    return yaml.safe_load(read(".github/workflows/ci.yml"))


def commands(job: str) -> list[list[str]]:
    """The words of every command line that a job runs."""
    steps = workflow()["jobs"][job]["steps"]
    lines = "\n".join(step.get("run", "") for step in steps).splitlines()
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("name", PROJECT_FILES)
def test_every_path_exists(name):
    paths = {path.rstrip(".") for path in PATH.findall(read(name))}
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_ci_has_every_distribution_that_the_readme_names():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    words = {word for page in pages for word in re.findall(r"\w+", page.read_text())}
    ros = workflow()["jobs"]["ros"]
    matrix = {name.capitalize() for name in ros["strategy"]["matrix"]["distribution"]}
    assert "Jazzy" in words
    assert words & DISTRIBUTIONS <= matrix <= DISTRIBUTIONS
    assert ros["container"]["image"] == "ros:${{ matrix.distribution }}-ros-base"


def test_ci_builds_tests_and_runs_the_launch_tests():
    run = {" ".join(words[:2]) for words in commands("ros")}
    assert {"rosdep install", "colcon build", "colcon test", "colcon test-result"} <= run
    assert ["python3", "-m", "pytest", "test/ros/test_launch.py"] in commands("ros")


def test_ci_calls_targets_of_the_makefile():
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    called = {words[1] for words in commands("wheels") if words[:1] == ["make"]}
    assert {"test", "docs"} <= called <= targets


@pytest.mark.parametrize("name", [".github/workflows/ci.yml", "Dockerfile"])
def test_pip_installs_what_requirements_pin(name):
    pattern = re.compile(r"'(?:\^\()?([\w|-]+)\)?(?:==)?'")
    (names,) = [found for found in pattern.findall(read(name)) if "safetensors" in found]
    unpinned = set(names.split("|")) - set(pins())
    assert unpinned == set()


def test_dockerfile_copies_what_exists_and_launches_what_is_installed():
    text = read("Dockerfile").replace("\\\n", " ")
    copied = [words.split()[1] for words in re.findall(r"^COPY .*", text, re.MULTILINE)]
    assert copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    launched = re.findall(r"ros2[\", ]+launch[\", ]+(\w+)[\", ]+([\w.]+)", text)
    assert {package for package, _ in launched} == {"im2hands_ros"}
    assert [file for _, file in launched if not (ROOT / "launch" / file).exists()] == []
    base = re.search(r"^FROM ros:(\w+)-ros-base$", text, re.MULTILINE)
    assert base and base[1] in workflow()["jobs"]["ros"]["strategy"]["matrix"]["distribution"]


def test_the_image_leaves_out_no_file_that_is_built():
    patterns = [line for line in read(".dockerignore").split("\n") if line and line[0] != "#"]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    built = ("CMakeLists.txt", "config/", "im2hands_ros/", "launch/", "msg/", "package.xml")
    files = [
        name for name in listed.stdout.split() if name.startswith((*built, "scripts/", "srv/"))
    ]
    assert len(files) > 100
    left_out = [
        name for name in files for pattern in patterns if fnmatch(name, pattern.removeprefix("**/"))
    ]
    assert left_out == []
    assert {".git", ".venv", "build", "install", "log"} <= set(patterns)


def test_hooks_run_the_linters_at_the_pinned_versions():
    repositories = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    hooks = {hook["id"]: (repo, hook) for repo in repositories for hook in repo["hooks"]}
    assert set(hooks) == {"ruff-check", "ruff-format", "mypy"}
    assert hooks["ruff-check"][0]["rev"] == hooks["ruff-format"][0]["rev"]
    assert {hooks["ruff-check"][0]["rev"].removeprefix("v")} == pins()["ruff"]
    # mypy is the one that make setup installed, called as make lint calls it.
    program, *arguments = shlex.split(hooks["mypy"][1]["entry"])
    assert program == ".venv/bin/python"
    assert f"python {shlex.join(arguments)}\n" in read("Makefile")
    for linter in ("ruff", "mypy"):
        assert set(re.findall(rf'"{linter}==([\d.]+)"', read("pyproject.toml"))) == pins()[linter]


def test_a_bug_report_brings_what_an_answer_needs():
    form = yaml.safe_load(read(".github/ISSUE_TEMPLATE/bug.yml"))
    fields = {field["id"]: field["attributes"] for field in form["body"] if "id" in field}
    assert "ros2 topic echo --once /diagnostics" in fields["diagnostics"]["description"]
    assert "im2hands bench" in fields["machine"]["description"]
    assert im2hands_ros.__version__ in fields["version"]["placeholder"]
    options = " ".join(fields["distribution"]["options"]).lower()
    matrix = workflow()["jobs"]["ros"]["strategy"]["matrix"]["distribution"]
    assert all(name in options for name in matrix)
    assert "log" in fields
