"""Joints of a stream by their convention or a calibration, in the frame engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from convention_table import OFFSETS_MM, use_table
from test_tracker import IMAGE, RecordingModel, both
from two_hands import CAMERA

from im2hands_ros.hand_calibration import HandCalibration
from im2hands_ros.keypoint_convention import in_own_convention
from im2hands_ros.tracking.settings import FrameSettings
from im2hands_ros.tracking.tracker import Extent, HandTracker

OFFSETS = np.random.default_rng(1).normal(0, 0.003, (21, 3))


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "c.yaml"
    HandCalibration("openxr", OFFSETS, np.full(24, 0.03), None, ("right",)).write(path)
    return path


def encoded(convention: str, **settings):
    """The joints that the model gets, and the kinds and texts of the warnings."""
    model = RecordingModel()
    tracker = HandTracker(model, FrameSettings(**settings))
    frame = tracker.update(IMAGE, 1.0, CAMERA, both(), convention=convention, extent=Extent.FIELD)
    return model.encoded[0], " ".join(
        text for kind, text in frame.warnings if kind.startswith("calibration")
    )


@pytest.fixture
def openxr_is_moved(monkeypatch, tmp_path):
    use_table(monkeypatch, tmp_path / "table.yaml", {"openxr": OFFSETS_MM})


def test_joints_are_moved_by_the_convention_of_their_order(openxr_is_moved):
    joints, _ = encoded("openxr")
    expected = in_own_convention(both(), "openxr")
    for side, xyz in joints.items():
        np.testing.assert_array_equal(xyz, expected[side])
        assert not np.allclose(xyz, both()[side], atol=1e-4)


def test_the_setting_overrules_the_order(openxr_is_moved):
    for side, xyz in encoded("openxr", keypoint_convention="mano")[0].items():
        np.testing.assert_array_equal(xyz, both()[side])


def test_a_calibration_takes_the_place_of_the_convention(file):
    joints, warning = encoded("openxr", calibration=str(file))
    made = HandCalibration.read(file)
    for side, xyz in joints.items():
        np.testing.assert_array_equal(xyz, made.own_joints(both()[side], side))
    assert "right hand alone" in warning


def test_a_calibration_of_another_tracker_moves_no_joints_and_says_so(file):
    joints, warning = encoded("mano", calibration=str(file))
    for side, xyz in joints.items():
        np.testing.assert_array_equal(xyz, both()[side])
    assert "offsets are left out" in warning


def test_a_calibration_that_is_not_there_is_an_error_before_the_first_frame(tmp_path):
    with pytest.raises(FileNotFoundError, match="im2hands calibrate"):
        HandTracker(RecordingModel(), FrameSettings(calibration=str(tmp_path / "none.yaml")))


def test_frames_say_which_joints_they_were_made_from():
    model = RecordingModel()
    tracker = HandTracker(model)
    frame = tracker.update(IMAGE, 1.0, CAMERA, both(), convention="openxr", extent=Extent.FIELD)
    np.testing.assert_array_equal(frame.given["left"], model.encoded[0]["left"])
