"""Joints that cannot be a hand's metres: the cause that is named is the one that was made.

Each is a neighbour of another: the same numbers might be taken for another mistake.
"""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import CAMERA, joints

from im2hands_ros.bad_input import BadInput
from im2hands_ros.checks import check_keypoints

RIGHT = joints("right").astype(np.float64)
RELATIVE = RIGHT - RIGHT[0]
PIXELS = CAMERA.project(RIGHT)
NORMALISED = PIXELS / (CAMERA.width, CAMERA.height)


def with_depth(places: np.ndarray, depth: np.ndarray | float) -> np.ndarray:
    return np.column_stack([places, np.broadcast_to(depth, len(places))])


def zeroed(*chosen: int) -> np.ndarray:
    xyz = RIGHT.copy()
    xyz[list(chosen)] = 0
    return xyz


def lost(place: float) -> np.ndarray:
    xyz = RIGHT.copy()
    xyz[8] = place
    return xyz


NAN = "give NaN, or confidence 0, for"
MISTAKES = {
    "inches": (39.37 * RIGHT, "not inches: divide by 39.37"),
    "millimetres in OpenGL's axes": (
        1000 * RIGHT * [1, -1, -1],
        "not millimetres: divide by 1000, in the camera's optical frame (z forward): from OpenGL",
    ),
    "metres divided by 1000": (0.001 * RIGHT, "give metres: multiply by 1000"),
    "metres divided by 100": (0.01 * RIGHT, "give metres: multiply by 100"),
    "relative millimetres": (
        1000 * RELATIVE,
        "add the wrist's position in the camera's frame, and divide millimetres by 1000",
    ),
    "relative to a knuckle": (RIGHT - RIGHT[9], "has its middle_mcp at the origin: add"),
    "relative to the middle": (RIGHT - RIGHT.mean(0), "relative to a point of the hand: add"),
    "depths relative to the wrist": (
        RELATIVE + [0.5, 0, 0],
        "normalised to the picture, or depths relative to the wrist: lift them",
    ),
    "more than half zeros": (
        zeroed(*range(1, 12)),
        f"11 of 21 joints at the origin, from thumb_cmc on: {NAN}",
    ),
    "nearly zeros": (0 * RIGHT + 1e-6, "all joints at (1e-06, 1e-06, 1e-06): leave it out"),
    "-1 everywhere": (0 * RIGHT - 1, "all joints at (-1, -1, -1): leave it out"),
    "a joint at -1": (lost(-1.0), f"index_tip alone lies far off: {NAN}"),
    "a joint at 1e9": (lost(1e9), f"index_tip alone lies far off: {NAN}"),
    "far aside": (RIGHT + [11, 0, 3], "within 10 m of the camera"),
    "a map's frame": (RIGHT + [4e5, 5e6, 30], "within 10 m of the camera"),
    "pixels with millimetres": (
        with_depth(PIXELS, 1000 * RIGHT[:, 2]),
        "where x and y are pixels, lift them",
    ),
    "pixels with relative millimetres": (with_depth(PIXELS, 1000 * RELATIVE[:, 2]), "as pixels"),
    "pixels of a corner": (
        with_depth(PIXELS - PIXELS.min(0) + 3, 1000 * RELATIVE[:, 2]),
        "as pixels",
    ),
    "x forward, all below": (
        (RIGHT + [0, 0.2, 0])[:, [2, 0, 1]] * [1, -1, -1],
        "optical frame (z forward): from x forward and z up give (-y, -z, x)",
    ),
    "pixels of 4K with depth 1": (with_depth(12 * PIXELS, 1.0), "as pixels"),
    "normalised, partly outside": (
        with_depth(NORMALISED - [0.7, 0], RELATIVE[:, 2]),
        "as coordinates normalised to the picture",
    ),
    "normalised from -1 to 1": (
        with_depth(2 * NORMALISED - 1, RELATIVE[:, 2]),
        "as coordinates normalised to the picture",
    ),
    "x forward": (
        RIGHT[:, [2, 0, 1]] * [1, -1, -1],
        "optical frame (z forward): from x forward and z up give (-y, -z, x)",
    ),
    "y forward": (
        RIGHT[:, [0, 2, 1]] * [1, 1, -1],
        "optical frame (z forward): from y forward and z up give (x, -z, y)",
    ),
}
FALSE = ("optical frame (z forward)", "millimetres", "centimetres", "as pixels", "normalised")


@pytest.mark.parametrize("name", MISTAKES)
def test_the_mistake_that_was_made_is_named_and_no_other(name):
    xyz, said = MISTAKES[name]
    with pytest.raises(BadInput) as refused:
        check_keypoints({"right": xyz})
    text = str(refused.value)
    assert said in text
    if "; " not in text:  # where two causes fit, both are named
        assert not [cause for cause in FALSE if cause in text and cause not in said + name], text


def test_a_hand_of_a_joint_that_is_lost_is_not_called_so_where_all_are_off():
    with pytest.raises(BadInput) as refused:
        check_keypoints({"right": RIGHT + [0, 0, 18]})
    assert "alone" not in str(refused.value)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.2, 0.15)])
def test_what_the_message_says_when_obeyed_gives_the_hand(corner):
    xyz = RIGHT + [*corner, 0]
    for scale in (1000, 100, 39.37, 0.001, 0.01):
        with pytest.raises(BadInput) as refused:
            check_keypoints({"right": scale * xyz})
        text = str(refused.value).partition(";")[0]
        remedy, factor = text.rpartition(" by ")[0].rpartition(": ")[2], text.rpartition(" by ")[2]
        power = {"divide": -1, "multiply": 1}[remedy]
        obeyed = scale * xyz * float(factor) ** power
        assert np.allclose(check_keypoints({"right": obeyed})["right"], xyz, atol=1e-5)
