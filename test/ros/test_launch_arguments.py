"""Arguments of the launch files that are wrong: named, with what to give. No `launch` is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from im2hands_ros.ros.launch_arguments import KINDS, check_names, check_value

GIVEN = {
    int: (("48", "-1", "+8080"), ("high", "48.0", "1_000", "0x10", "٤")),
    float: (("70", "70.0", "1e-2", "-3"), ("wide", "nan", "inf", "70,0", "70 deg")),
    bool: (("true", "False", "1", "0"), ("yes", "maybe", "2", "tRue")),
    "topic": (
        ("image", "/a/b_1", "~/image", "/{node}/image", "/x{ns}"),
        ("", "a b", "/a//b", "/a/", "/", "1image", "/camera/1", "bild-1", "/käse", "a:b"),
    ),
    "namespace": (
        ("robot", "/robot", "/a/b", "/a/b/", "/", "a/b"),
        ("robot 1", "/a//b", "1robot", "robot-1", "/röbot", "~robot"),
    ),
    "file": ((__file__,), ("/nowhere.yaml", "nowhere.yaml", str(Path(__file__).parent))),
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, (right, _) in GIVEN.items() for value in right],
)
def test_what_an_argument_may_be_is_let_through(kind: object, value: str) -> None:
    check_value("argument", value, kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, (_, wrong) in GIVEN.items() for value in wrong],
)
def test_what_an_argument_cannot_be_is_named_with_a_remedy(kind: object, value: str) -> None:
    with pytest.raises(ValueError) as refusal:
        check_value("some_name", value, kind)
    said = str(refusal.value)
    assert said.startswith(f"launch argument some_name is '{value}': give ")
    assert "\n" not in said


def test_every_kind_is_tried() -> None:
    assert GIVEN.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "topic"])
def test_an_argument_that_was_not_given_is_not_wrong(kind: object) -> None:
    check_value("argument", "", kind)


def test_of_a_relative_file_it_is_said_where_it_was_looked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my robot.yaml").touch()
    check_value("params_file", "my robot.yaml", "file")
    with pytest.raises(ValueError, match=f"from {tmp_path} on or with its whole path"):
        check_value("params_file", "robot.yaml", "file")


KNOWN = {"resolution", "image", "camera_info"}


@pytest.mark.parametrize(
    ("argument", "remedy"),
    [
        ("resolutoin:=48", "give resolution"),
        ("caminfo:=/eye/info", "give camera_info"),
        ("speed:=9", "'im2hands.launch.py --show-args' lists those there are"),
    ],
)
def test_an_argument_that_nothing_reads_is_named(argument: str, remedy: str) -> None:
    with pytest.raises(ValueError) as refusal:
        check_names(["image:=/eye", argument], KNOWN, "im2hands.launch.py")
    assert str(refusal.value) == f"launch argument {argument} is not known: {remedy}"


def test_known_arguments_and_those_of_launch_itself_are_let_through() -> None:
    check_names(["image:=/a:=b", "launch-prefix:=gdb"], KNOWN, "im2hands.launch.py")
