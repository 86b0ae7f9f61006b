"""IsaacTeleop's NamedPoseArray becomes hands by the names of its joints."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from openxr_hands import BOTH, named
from two_hands import joints

from im2hands_ros.messages.named_poses import read_named_poses
from im2hands_ros.skeleton import SIDES


def message(places: dict[str, np.ndarray], invalid: tuple[str, ...] = ()) -> SimpleNamespace:
    """Joints that are not valid have poses of zeros."""

    def pose(name: str) -> SimpleNamespace:
        x, y, z = (0.0, 0.0, 0.0) if name in invalid else places[name].tolist()
        return SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=z))

    return SimpleNamespace(
        header=SimpleNamespace(frame_id="camera"),
        name=list(places),
        pose=[pose(name) for name in places],
        is_valid=[name not in invalid for name in places],
    )


def test_both_hands_are_read_by_name_in_any_order():
    shuffled = dict(sorted(BOTH.items(), key=lambda each: each[0][::-1]))
    others = {"left_PALM": np.ones(3), "head": np.zeros(3)}
    padded = {f"{name} \0": place for name, place in BOTH.items()}
    for places in (BOTH, shuffled, {k.lower(): v for k, v in BOTH.items()}, BOTH | others, padded):
        read = read_named_poses(message(places))
        assert not read.problems and read.frame_id == "camera" and read.confidence == {}
        for side in SIDES:
            assert np.allclose(read.hands[side], joints(side))


def test_a_hand_without_a_valid_joint_is_absent():
    read = read_named_poses(message(BOTH, tuple(named("left"))))
    assert read.hands["left"] is None and read.hands["right"] is not None and not read.problems


@pytest.mark.parametrize("left_out", [False, True])
def test_a_joint_that_is_not_valid_or_not_there_was_not_seen(left_out):
    places = {k: v for k, v in BOTH.items() if not (left_out and k == "left_MIDDLE_TIP")}
    read = read_named_poses(message(places, ("left_MIDDLE_TIP",)))
    assert np.isnan(read.hands["left"][12]).all() and read.confidence["left"][12] == 0
    assert np.isfinite(np.delete(read.hands["left"], 12, 0)).all()


def test_a_hand_of_which_less_than_half_is_valid_is_refused():
    read = read_named_poses(message(BOTH, tuple(named("right"))[:14]))
    assert read.hands["right"] is None and "set is_valid of its joints" in str(read.problems[0])


def test_names_and_counts_that_do_not_fit_are_said():
    poses = message({"head": np.zeros(3), "left": np.ones(3)})
    (problem,) = read_named_poses(poses).problems
    assert problem.reason == "keypoints_names" and "head, left: give OpenXR's names" in str(problem)
    short = message(BOTH)
    short.is_valid.pop()
    (problem,) = read_named_poses(short).problems
    assert "50 names, 50 poses and 49 is_valid" in str(problem)
    double = message(BOTH)
    double.name[3] = double.name[2]
    (problem,) = read_named_poses(double).problems
    assert "two poses are called left_thumb_proximal: give every" in str(problem)


def test_a_zero_pose_that_is_called_valid_is_a_joint_that_was_not_seen():
    zero = {"left_INDEX_TIP": np.zeros(3)} | {name: np.zeros(3) for name in named("right")}
    read = read_named_poses(message(BOTH | zero))
    assert np.isnan(read.hands["left"][8]).all() and read.confidence["left"][8] == 0
    assert np.isfinite(np.delete(read.hands["left"], 8, 0)).all()
    assert read.hands["right"] is None and "zeros alone: set is_valid" in str(read.problems[0])
