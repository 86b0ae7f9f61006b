"""One mistake is refused in the same words by Python, files, and every kind of message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from test_keypoints import HAND_KEYPOINTS, poses
from two_hands import CAMERA, joints

from im2hands_ros.checks import check_keypoints
from im2hands_ros.files import read_keypoints as read_file
from im2hands_ros.messages.keypoints import read_keypoints, read_poses

RIGHT = joints("right").astype(np.float64)
NAMES = ("the right hand", "right_xyz", "the block of the right hand", ": right")


def lost(place: float, count: int = 1) -> np.ndarray:
    xyz = RIGHT.copy()
    xyz[4 : 4 + count] = place
    return xyz


MISTAKES = {
    "millimetres": 1000 * RIGHT,
    "centimetres": 100 * RIGHT,
    "inches": 39.37 * RIGHT,
    "divided": 0.001 * RIGHT,
    "ten times as large": 10 * RIGHT,
    "far away": RIGHT + [0, 0, 18],
    "behind": RIGHT * [1, -1, -1],
    "relative": RIGHT - RIGHT[0],
    "more than half zeros": lost(0.0, 12),
    "a joint at -1": lost(-1.0),
    "pixels": np.column_stack([CAMERA.project(RIGHT), RIGHT[:, 2]]),
}


def refusals(new: Callable, tmp_path: Path, xyz: np.ndarray) -> Iterator[str]:
    """What each entrance says of a right hand."""
    file = tmp_path / "keypoints.json"
    file.write_text(json.dumps({"right": xyz.tolist()}))
    for refuse in (lambda: check_keypoints({"right": xyz}), lambda: read_file(file)):
        with pytest.raises(ValueError) as refused:
            refuse()
        yield str(refused.value)
    message = new(HAND_KEYPOINTS, right_valid=True, right_xyz=xyz.astype(np.float32).ravel())
    for read in (read_keypoints(message), read_poses(poses(new, None, xyz))):
        (problem,) = read.problems
        yield str(problem)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_entrance_says_the_same_of_a_mistake(new, tmp_path, mistake):
    said = list(refusals(new, tmp_path, MISTAKES[mistake]))
    words = {text.partition(next(each for each in NAMES if each in text))[2] for text in said}
    assert len(said) == 4 and len(words) == 1, said
