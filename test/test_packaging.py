"""One version, a light import, a core without ROS, and a complete wheel."""

from __future__ import annotations

import ctypes
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import im2hands_ros

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ROOT / "im2hands_ros/kernels/src"
CHANGELOG_TITLE = re.compile(r"^(\d.*|Forthcoming)\n(-+)$", re.MULTILINE)

IMPORT_THE_CORE = """
import importlib, pkgutil, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top == "rclpy" or top.endswith("_msgs") or name in GENERATED:
            raise ModuleNotFoundError(f"hidden: {name}", name=name)

GENERATED = ("im2hands_ros.msg", "im2hands_ros.srv")
NEEDS_TRITON = "im2hands_ros.kernels.gpu.field_triton"  # imported where there is a GPU
NOT_CORE = ("im2hands_ros.ros", *GENERATED, "im2hands_ros.im2hands_ros_s", NEEDS_TRITON)
sys.meta_path.insert(0, NoRos())
import im2hands_ros
for module in pkgutil.walk_packages(im2hands_ros.__path__, "im2hands_ros."):
    if not module.name.startswith(NOT_CORE):
        importlib.import_module(module.name)
        print(module.name)
"""


def python(code: str) -> str:
    """Standard output of a fresh interpreter in the source tree."""
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def lines_of(text: str) -> list[str]:
    stripped = (re.sub(r"\s*#.*", "", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def test_every_file_names_the_same_version():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("version") == im2hands_ros.__version__
    assert '"im2hands_ros.__version__"' in (ROOT / "pyproject.toml").read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+", im2hands_ros.__version__)


def test_the_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)  # what the format requires
    assert citation["version"] == im2hands_ros.__version__
    assert citation["license"] == "Apache-2.0"
    (paper,) = citation["references"]
    authors = [author["family-names"] for author in paper["authors"]]
    assert authors == ["Lee", "Sung", "Choi", "Kim"]
    assert paper["year"] == 2023


def test_the_changelog_begins_with_this_version_and_its_day():
    title, underline = CHANGELOG_TITLE.search((ROOT / "CHANGELOG.rst").read_text()).groups()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert title == f"{im2hands_ros.__version__} ({citation['date-released']})"
    assert len(underline) == len(title)


def test_every_message_and_executable_is_built():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    built = [f"msg/{path.name}" for path in (ROOT / "msg").iterdir()]
    built += [f"srv/{path.name}" for path in (ROOT / "srv").iterdir()]
    built += [f"scripts/ros/{path.name}" for path in (ROOT / "scripts/ros").iterdir()]
    built.append("scripts/im2hands")
    assert len(built) == 11
    assert all(name in cmake for name in built)
    assert all(os.access(ROOT / name, os.X_OK) for name in built if name.startswith("scripts"))


def test_the_interface_generator_keeps_its_rooms():
    assert not (ROOT / "im2hands_ros/msg").exists()
    assert not (ROOT / "im2hands_ros/srv").exists()


def test_importing_the_package_imports_neither_torch_nor_numpy():
    code = "import im2hands_ros, sys; print({'torch', 'numpy', 'cv2'} & set(sys.modules))"
    assert python(code).strip() == "set()"


def test_public_names_come_on_first_use():
    assert "Camera" in dir(im2hands_ros)
    for name, module in im2hands_ros._EXPORTS.items():
        assert getattr(im2hands_ros, name).__module__ == module
    with pytest.raises(AttributeError, match="Hand2Im"):
        _ = im2hands_ros.Hand2Im


def test_the_core_imports_without_ros():
    imported = python(IMPORT_THE_CORE).split()
    expected = {"camera", "canonical", "cli", "pipeline", "networks", "surface", "synthetic"}
    assert {f"im2hands_ros.{name}" for name in expected} <= set(imported)


def test_requirements_are_exact():
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = lines_of(path.read_text())
        assert lines, path
        assert all(re.match(r"[\w.-]+==[\w.]+(; python_version .+)?$", line) for line in lines), (
            path
        )


def test_every_python_is_the_same_in_classifiers_and_set_up(monkeypatch):
    check = runpy.run_path(str(ROOT / "scripts/check_python.py"))
    oldest, newest = check["OLDEST"], check["NEWEST"]
    versions = [f"3.{minor}" for minor in range(oldest[1], newest[1] + 1)]
    named = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert named == versions and newest >= (3, 14)
    assert f'requires-python = ">={versions[0]}"' in (ROOT / "pyproject.toml").read_text()
    tried = re.search(r"candidates=\((.*)\)", (ROOT / "scripts/setup.sh").read_text())[1]
    assert {f"python{version}" for version in versions} <= set(tried.split())
    for found, refused in ((oldest, False), (newest, False), ((3, 9), True), ((3, 15), True)):
        monkeypatch.setattr(sys, "version_info", (*found, 0, "final", 0))
        said = check["problem"]()
        assert ("CPython 3.10 to 3.14 is needed" in said) == refused, found


# Puts its options into object files, and object files into libraries.
FAKE_COMPILER = """
import pathlib, sys, time
options = sys.argv[1:]
out = pathlib.Path(options[options.index("-o") + 1])
if "-c" in options:
    time.sleep(0.05)
    out.write_text(next((each for each in options if each.startswith("-march")), "baseline") + " ")
else:
    out.write_text("".join(pathlib.Path(it).read_text() for it in options if it.endswith(".o")))
"""


@pytest.fixture
def fake_compiler(tmp_path) -> dict[str, str]:
    """Environment in which setuptools compiles in no time."""
    (tmp_path / "compiler.py").write_text(FAKE_COMPILER)
    command = f"{sys.executable} {tmp_path / 'compiler.py'}"
    return os.environ | dict.fromkeys(("CC", "CXX", "LDSHARED", "LDCXXSHARED"), command)


def source_tree(folder: Path, *kernels: Path) -> Path:
    """Folder of what `setup.py` needs, with these sources of kernels."""
    (folder / "im2hands_ros/kernels/src").mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "im2hands_ros/__init__.py"):
        shutil.copy(ROOT / name, folder / name)
    for kernel in kernels:
        shutil.copy(kernel, folder / "im2hands_ros/kernels/src")
    return folder


def compiled(source: Path, environment: Mapping[str, str]) -> list[Path]:
    """The libraries that `setup.py` makes of a source tree."""
    run = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    result = subprocess.run(
        run, cwd=source, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return sorted((source / "im2hands_ros/kernels/lib").glob("*.so"))


def test_each_library_of_kernels_is_of_its_own_instruction_set_alone(tmp_path, fake_compiler):
    two = (KERNELS / "pool.cpp", KERNELS / "corners.cpp")
    libraries = compiled(source_tree(tmp_path / "source", *two), fake_compiler)
    found = [set(library.read_text().split()) for library in libraries]
    assert found[0] == {"baseline"}
    assert found[1:] in ([], [{"-march=x86-64-v3"}, {"-march=x86-64-v4"}])


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler")
def test_the_compiler_makes_libraries_that_load(tmp_path):
    made = source_tree(tmp_path, *KERNELS.glob("*.h"), KERNELS / "instructions.cpp")
    libraries = [ctypes.CDLL(str(library)) for library in compiled(made, os.environ)]
    for library in libraries:
        library.im2hands_instructions.restype = ctypes.c_char_p
    found = [library.im2hands_instructions().decode() for library in libraries]
    assert found in (["baseline"], ["baseline", "x86-64-v3", "x86-64-v4"])


def test_the_wheel_holds_the_modules_the_data_the_kernels_and_the_command(tmp_path, fake_compiler):
    source = source_tree(tmp_path / "source")
    ignore = shutil.ignore_patterns("__pycache__")
    package = ROOT / "im2hands_ros"
    shutil.copytree(package, source / "im2hands_ros", ignore=ignore, dirs_exist_ok=True)
    build = "import setuptools.build_meta as b; print(b.build_wheel('..'))"
    run = [sys.executable, "-c", build]
    result = subprocess.run(
        run, cwd=source, env=fake_compiler, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(tmp_path / result.stdout.split()[-1]) as wheel:
        inside = set(wheel.namelist())
    wanted = [*package.rglob("*.py"), *(path for path in (package / "data").rglob("*.*"))]
    wanted.append(package / "py.typed")  # type checkers ignore our annotations without it
    missing = {str(path.relative_to(ROOT)) for path in wanted if not path.is_dir()} - inside
    assert missing == set()
    assert "im2hands_ros/kernels/lib/libim2hands_kernels.so" in inside
    assert any(name.endswith("entry_points.txt") for name in inside)
