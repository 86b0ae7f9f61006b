"""Calibrations in and out of files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from two_hands import joints

from im2hands_ros.hand_calibration import HandCalibration, HandShape


def some(**changes) -> HandCalibration:
    rng = np.random.default_rng(5)
    made = HandCalibration(
        "openxr",
        rng.normal(0, 0.004, (21, 3)),
        rng.uniform(0.02, 0.1, 24),
        HandShape(rng.normal(0, 1, 96), rng.normal(0, 0.001, 20), "0123456789abcdef"),
        ("left", "right"),
        {"bag": "hands.mcap"},
    )
    return replace(made, **changes)


@pytest.mark.parametrize("changes", [{}, {"shape": None}, {"sides": ("right",)}])
def test_what_is_written_is_read_again(tmp_path, changes):
    made = some(**changes)
    made.write(tmp_path / "c.yaml")
    read = HandCalibration.read(tmp_path / "c.yaml")
    assert (read.convention, read.sides, read.record) == (made.convention, made.sides, made.record)
    np.testing.assert_allclose(read.offsets, made.offsets, atol=1e-5)
    np.testing.assert_allclose(read.lengths, made.lengths, atol=1e-5)
    assert (read.shape is None) == (made.shape is None)
    if made.shape is not None:
        np.testing.assert_allclose(read.shape.code, made.shape.code, atol=1e-4)
        np.testing.assert_allclose(read.shape.thickness, made.shape.thickness, atol=1e-6)
        assert read.shape.fingerprint == made.shape.fingerprint
    assert [file.name for file in tmp_path.iterdir()] == ["c.yaml"]


def test_a_file_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.yaml' does not exist: im2hands calibrate"):
        HandCalibration.read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("image_width: 640\n", "its format is None"),
        ("just words", "is no calibration of im2hands calibrate"),
        ("a: [", "is no calibration of im2hands calibrate"),
    ],
)
def test_another_file_is_refused_with_what_is_wrong(tmp_path, text, what):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=what):
        HandCalibration.read(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"offsets": np.full((21, 3), 0.2)}, "offsets_mm"),
        ({"offsets": np.full((21, 3), np.nan)}, "offsets_mm"),
        ({"lengths": np.zeros(24)}, "bone_lengths_mm"),
        ({"lengths": np.full(20, 0.03)}, "bone_lengths_mm"),
        ({"shape": HandShape(np.zeros(96), np.full(20, 0.1), "")}, "thickness_mm"),
        ({"convention": "vicon"}, "convention 'vicon'"),
        ({"sides": ()}, "no side"),
    ],
)
def test_values_that_no_hand_can_have_are_refused(tmp_path, changes, what):
    some(**changes).write(tmp_path / "c.yaml")
    with pytest.raises(ValueError, match=what):
        HandCalibration.read(tmp_path / "c.yaml")


def test_joints_are_moved_alike_on_both_hands():
    calibration = some()
    right, left = joints("right"), joints("right") * [-1, 1, 1]
    moved = calibration.own_joints(right, "right")
    assert np.linalg.norm(moved - right, axis=1).mean() > 0.003
    np.testing.assert_allclose(calibration.own_joints(left, "left") * [-1, 1, 1], moved, atol=1e-6)


def test_another_tracker_and_a_missing_side_are_said():
    assert some().other_tracker("openxr") == some().missing_side() == ""
    tracker = some().other_tracker("leap")
    assert "'openxr'" in tracker and "'leap'" in tracker and "offsets are left out" in tracker
    side = some(sides=("left",)).missing_side()
    assert "left hand alone" in side and "right one" in side
