"""The plan of the house, read from the imports: data flows one way, nothing hides an arrow.

Imports inside functions count like all others; those under TYPE_CHECKING do not run and only
count for the direction.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "im2hands_ros"
# Room -> the rooms that it may import, itself apart. "" are the modules beside the rooms that
# hold no algorithm of a room: camera, skeleton, checks and so on.
MAY_IMPORT = {
    "": set(),
    "kernels": {""},
    "pictures": {"", "kernels"},
    "depth": {"", "kernels"},
    "surface": {"", "kernels"},
    "networks": {"", "kernels", "surface"},
    "pipeline": {"", "kernels", "surface", "depth", "networks"},
    "tracking": {"", "pictures", "networks", "pipeline"},
    "detection": {"", "networks"},
    "messages": {"", "kernels", "pictures", "pipeline"},
    "viewing": {"", "messages", "synthetic"},
    "synthetic": {""},
    "datasets": {"", "pictures", "synthetic"},
    "training": {"", "networks", "pipeline", "synthetic"},
    "evaluation": {
        *("", "kernels", "surface", "networks", "pipeline", "detection", "synthetic", "datasets"),
        *("training", "tracking"),
    },
    "bags": {"", "messages", "tracking"},
    "calibration": {"", "depth", "networks", "pipeline", "tracking", "messages", "bags"},
    "ros": {
        *("", "surface", "pipeline", "tracking", "detection", "messages", "viewing"),
        *("synthetic", "evaluation", "bags"),
    },
    "commands": {
        *("", "pictures", "networks", "pipeline", "tracking", "detection", "messages", "viewing"),
        *("synthetic", "datasets", "training", "evaluation", "bags", "calibration", "ros"),
    },
}
PIPELINE = {
    *("pipeline", "loaded_networks", "hand_mask", "depth_fit"),
    *("scene", "field_surfaces"),
}
# Public names are imported on first use, and subcommands when they are called.
LAZY = {"im2hands_ros", "im2hands_ros.cli"}
ROS = {
    *("rclpy", "rcl_interfaces", "lifecycle_msgs", "sensor_msgs", "std_msgs", "geometry_msgs"),
    *("visualization_msgs", "diagnostic_msgs", "builtin_interfaces", "tf2_ros", "moveit_msgs"),
    *("shape_msgs", "ament_index_python", "launch", "launch_ros"),
}


@dataclass(frozen=True)
class Import:
    """One import statement of ours, or of a package that is not ours."""

    importer: str
    imported: str
    line: int
    runs: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imports_of(name: str) -> Iterator[Import]:
    def visit(node: ast.AST, runs: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(name, alias.name, child.lineno, runs)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{name}:{child.lineno}: import by the full name"
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    target = whole if whole in MODULES else child.module or ""
                    yield Import(name, target, child.lineno, runs)
            yield from visit(child, runs and not checking)

    yield from visit(ast.parse(MODULES[name].read_text()), runs=True)


ALL = [each for name in MODULES for each in imports_of(name)]
OURS = [each for each in ALL if each.imported in MODULES]


def room_of(module: str) -> str:
    first = (module.split(".") + [""])[1]
    if first in PIPELINE:
        return "pipeline"
    if first == "cli":
        return "commands"
    return first if first in MAY_IMPORT else ""


def test_every_folder_is_a_room_with_a_place_in_the_plan() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert folders - {"msg", "srv"} <= MAY_IMPORT.keys()


def test_no_arrow_goes_back_up() -> None:
    wrong = [
        str(each)
        for each in OURS
        if each.importer not in LAZY
        and (room := room_of(each.imported)) != (own := room_of(each.importer))
        and room not in MAY_IMPORT[own]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circle() -> None:
    arrows: dict[str, set[str]] = {name: set() for name in MODULES}
    for each in OURS:
        if each.runs and each.imported != each.importer:
            arrows[each.importer].add(each.imported)
    while leaves := [name for name, targets in arrows.items() if not targets & arrows.keys()]:
        for name in leaves:
            del arrows[name]
    # What is left lies on a circle or leads to one.
    circle = sorted(name for name in arrows if any(name in targets for targets in arrows.values()))
    assert not circle, f"a circle among {circle}"


def test_no_arrow_is_hidden_behind_a_name_in_a_string() -> None:
    hidden = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        if name not in LAZY
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", ""))
        in ("import_module", "__import__")
    ]
    assert not hidden


def test_only_the_ros_rooms_import_ros() -> None:
    wrong = [
        str(each)
        for each in ALL
        if each.runs and each.imported.split(".")[0] in ROS and room_of(each.importer) != "ros"
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "light", ["im2hands_ros", "im2hands_ros.bad_input", "im2hands_ros.skeleton"]
)
def test_what_a_message_s_import_runs_stays_light(light: str) -> None:
    heavy = {"torch", "trimesh", "scipy", "cv2"}
    assert not [str(e) for e in imports_of(light) if e.runs and e.imported.split(".")[0] in heavy]
