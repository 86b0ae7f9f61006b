"""What is measured of followed hands, and that following them does what it is there for."""

from __future__ import annotations

import json

import numpy as np

from im2hands_ros.evaluation import sequence_report
from im2hands_ros.evaluation.depth_images import motion_depth_images
from im2hands_ros.evaluation.inputs import TRACKER_ERRORS
from im2hands_ros.evaluation.sequence_errors import track_with_errors
from im2hands_ros.evaluation.sequence_events import crossings, dropouts, lag
from im2hands_ros.evaluation.sequence_report import sequence_report as report_of
from im2hands_ros.evaluation.sequence_report import sequence_tables
from im2hands_ros.evaluation.sequences import joints_alone, with_images
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.motion import draw_motion


def test_errors_last_for_as_long_as_they_are_said_to():
    still = np.repeat(draw_motion(0.1, seed=0).keypoints["left"][:1], 6000, 0)
    rng = np.random.default_rng(0)
    given = track_with_errors(still, 30.0, rng, noise=0.0, errors=TRACKER_ERRORS)
    depth = (given - still).mean(1)[:, 2]
    depth -= depth.mean()
    correlation = (depth[45:] * depth[:-45]).mean() / depth.var()  # after 1.5 s
    assert 0.2 < correlation < 0.55
    along = TRACKER_ERRORS.offset_sigma[1]
    assert along < depth.std() < 2.5 * along  # offsets, and hands apart


def test_noise_is_new_in_every_frame():
    still = np.repeat(draw_motion(0.1, seed=0).keypoints["left"][:1], 500, 0)
    given = track_with_errors(still, 30.0, np.random.default_rng(1), noise=0.004, errors=None)
    noise = given - still
    assert np.isclose(noise.std(), 0.004, rtol=0.05)
    assert abs((noise[1:] * noise[:-1]).mean()) < 0.05 * noise.var()


def test_followed_hands_are_nearer_to_the_truth_and_stiller_than_single_frames():
    row = joints_alone(sequences=2, seconds=5.0, noise=0.010, lasting=False).summary()
    assert row["error_change_percent"] < -40 and row["tremble_change_percent"] < -78
    row = joints_alone(sequences=1, seconds=5.0, noise=0.0005, lasting=False).summary()
    assert row["tracked_error_mm"] < row["single_error_mm"] + 0.05


def test_events_end_well():
    row = dropouts()
    assert row["second_frame_mm"] < row["tracker_mm"]
    row = crossings()
    assert row["tracker_swapped_frames"] > 50 and row["swapped_later_frames"] == 0
    assert abs(lag()["lag_ms"]) < 20


def test_images_are_used_with_and_without_tracking():
    (scores,) = with_images(Im2Hands.load(device="cpu"), 1, seconds=1.4, noise=0.010)
    row = scores.summary()
    assert row["tracked_tremble_mm"] < 0.6 * row["single_tremble_mm"]
    assert len(scores.single) == len(scores.tracked) == 2


def test_depth_images_take_the_lasting_errors_away_with_and_without_tracking():
    (scores,) = with_images(
        Im2Hands.load(device="cpu"), 1, 1.4, 0.010, "realsense", first_seed=1001
    )
    row = scores.summary()
    assert row["single_error_mm"] < 15 and row["tracked_error_mm"] < row["single_error_mm"]


def test_depth_images_of_a_motion_show_both_hands_where_their_joints_are():
    motion = draw_motion(0.1, seed=3)
    images = list(motion_depth_images(motion, 3, "kinect"))
    assert len(images) == len(motion) and not np.array_equal(images[0], images[1])
    for side, track in motion.keypoints.items():
        u, v = np.rint(motion.camera.project(track[0])).astype(int).T
        inside = (u >= 0) & (u < 320) & (v >= 0) & (v < 240)
        seen = images[0][v[inside], u[inside]]
        behind = (track[0, inside, 2] - seen)[seen > 0]
        # Joints lie under the skin that is seen, fingers of a fist under others of them too.
        assert 0.0 < np.median(behind) < 0.06, side


def test_the_report_has_a_row_for_each_kind_of_error(monkeypatch):
    monkeypatch.setattr(sequence_report, "SECONDS", 1.2)
    monkeypatch.setattr(sequence_report, "dropouts", lambda: {"tracker_mm": 1.0})
    monkeypatch.setattr(sequence_report, "crossings", lambda: {"crossings": 20})
    report = report_of(Im2Hands.load(device="cpu"), 1, {"command": "x"}, {"cpu": "y"})
    assert len(json.loads(json.dumps(report))["rows"]) == 5
    report = report_of(Im2Hands.load(device="cpu"), 1, {"command": "x"}, {"cpu": "y"}, "realsense")
    assert report["rows"][5]["joints"] == "refined by images and depth (realsense)"
    table = sequence_tables(report)
    assert "refined by images" in table and "lag_ms" in table
