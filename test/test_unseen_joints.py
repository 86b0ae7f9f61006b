"""Joints that a tracker has not seen are estimated from those that it has."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.unseen_joints import estimate_doubtful, joint_shares

TOOLS = Path(__file__).resolve().parents[1] / "tools"
FRAMES = load_demo_sequence().frames[::6]


def hands() -> list[tuple[str, np.ndarray]]:
    return [
        (side, frame.true_keypoints[side].astype(np.float32))
        for frame in FRAMES
        for side in SIDES
        if frame.true_keypoints[side] is not None
    ]


def error_mm(chosen: list[int]) -> float:
    """Mean over hands of the demo, which the statistics were not measured on."""
    errors = []
    for side, xyz in hands():
        given = xyz.copy()
        given[chosen] = np.nan
        filled = estimate_doubtful(given, side)
        assert np.array_equal(np.delete(filled, chosen, 0), np.delete(xyz, chosen, 0))
        errors.append(np.linalg.norm(filled[chosen] - xyz[chosen], axis=1).mean())
    return 1000 * float(np.mean(errors))


# Measured: 2.5 to 4.5 mm for a joint within a finger or the palm, 6 mm for a tip.
@pytest.mark.parametrize("joint", range(21))
def test_a_joint_lies_about_where_the_others_put_it(joint):
    assert error_mm([joint]) < (14 if joint in (4, 8, 12, 16, 20) else 9)


def test_half_of_a_hand_is_enough():
    assert error_mm(list(range(2, 21, 2))) < 15


def test_a_doubtful_joint_is_somewhere_between_its_place_and_the_others_idea_of_it():
    side, xyz = hands()[0]
    given = xyz.copy()
    given[6] += np.float32([0.0, 0.03, 0.0])
    errors = []
    for share in (1.0, 0.51, 0.4, 0.1, 0.0):
        shares = np.ones(21, np.float32)
        shares[6] = share
        moved = estimate_doubtful(given, side, 0.5 * shares)
        assert np.array_equal(np.delete(moved, 6, 0), np.delete(given, 6, 0))
        errors.append(float(np.linalg.norm(moved[6] - xyz[6])))
    assert errors[0] == errors[1] and errors[1] > errors[2] > errors[3] > errors[4]


def test_a_left_hand_is_the_mirror_image_of_a_right_one():
    side, xyz = hands()[0]
    other = SIDES[1 - SIDES.index(side)]
    xyz[[0, 7, 12]] = np.nan
    mirror = np.float32([-1, 1, 1])
    assert np.allclose(
        estimate_doubtful(xyz * mirror, other) * mirror, estimate_doubtful(xyz, side), atol=1e-5
    )


def test_where_the_hand_is_does_not_matter():
    side, xyz = hands()[3]
    xyz[[4, 8]] = np.nan
    turn = np.float32([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    moved = estimate_doubtful(xyz @ turn.T + np.float32([0.3, -0.2, 1]), side)
    assert np.allclose(moved, estimate_doubtful(xyz, side) @ turn.T + [0.3, -0.2, 1], atol=1e-4)


def test_a_hand_that_was_seen_stays_as_it_is():
    side, xyz = hands()[0]
    assert estimate_doubtful(xyz, side) is xyz


def test_shares_are_of_hands_that_are_not_sure():
    xyz = hands()[0][1]
    lacking = xyz.copy()
    lacking[3] = np.nan
    sure, unsure = np.ones(21, np.float32), np.full(21, 0.5, np.float32)
    assert joint_shares({"left": xyz, "right": None}, {"left": sure}) == {}
    assert joint_shares({"left": xyz}, {"left": unsure})["left"].tolist() == [0.5] * 21
    shares = joint_shares({"left": xyz, "right": lacking}, None)
    assert list(shares) == ["right"] and shares["right"].sum() == 20 and not shares["right"][3]


def test_the_packaged_statistics_are_those_of_random_hands(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import joint_statistics

    measured = joint_statistics.statistics(joint_statistics.random_joints(512, 3))
    with np.load(TOOLS.parent / "im2hands_ros" / "data" / "joint_statistics.npz") as packaged:
        spread = np.sqrt(np.diag(packaged["covariance"]))
        own = np.sqrt(np.diag(measured["covariance"]))
        assert np.abs(own / spread - 1).max() < 0.2
        bones = [
            np.linalg.norm(np.diff(each, axis=0), axis=1)
            for each in (measured["mean"], packaged["mean"])
        ]
        assert np.abs(bones[0] - bones[1]).max() < 0.003
