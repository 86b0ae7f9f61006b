"""Joints in another order are told which one; those in MANO's never are, whoever's they are."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.joint_orders import other_order
from im2hands_ros.skeleton import ORDER_INTERHAND, to_mano_order
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.synthetic.motion import draw_motion

DEMO = [
    xyz.astype(np.float64)
    for frame in load_demo_sequence().frames[::9]
    for xyz in frame.true_keypoints.values()
    if xyz is not None
]
INTERHAND = to_mano_order(np.arange(63).reshape(21, 3), ORDER_INTERHAND)[:, 0] // 3


def layout(fingers: str = "01234", levels: str = "0123", wrist: str = "first") -> list[int]:
    """MANO-order joints as they come: fingers from 0, the thumb, each by its levels."""
    joints = [1 + 4 * int(finger) + int(level) for finger in fingers for level in levels]
    return [0, *joints] if wrist == "first" else [*joints, 0]


# As sent, and what is said of it; the plainest are seen in a single frame.
PLAIN = {
    "InterHand": (np.argsort(INTERHAND), "ORDER_INTERHAND"),
    "MANO under InterHand's name": (INTERHAND, "MANO sent as InterHand"),
    "pinky first": (layout("43210"), "from pinky to thumb"),
    "thumb last": (layout("12340"), "the thumb last"),
    "wrist last": (layout(wrist="last"), "the wrist last, fingers from base to tip"),
    "tips first, pinky first, wrist last": (
        layout("43210", "3210", "last"),
        "from pinky to thumb and from tip to base, the wrist last",
    ),
    "by level": (
        [0, *(1 + 4 * finger + level for level in range(4) for finger in range(5))],
        "all knuckles, then all",
    ),
    "tips last": ([*layout(levels="012"), *layout(levels="3")[1:]], "the tips last"),
}
ALIKE = {
    "tip to base": (layout(levels="3210"), "fingers from tip to base"),
    "index and middle": (layout("02134"), "index and middle finger exchanged"),
    "middle and ring": (layout("01324"), "middle and ring finger exchanged"),
    "ring and pinky": (layout("01243"), "ring finger and pinky exchanged"),
}


def mean_order(xyz: np.ndarray, noise: float, random: np.random.Generator) -> str:
    """What ten frames of a hand with a tracker's noise say."""
    frames = [xyz + random.normal(scale=noise, size=xyz.shape) for _ in range(10)]
    return other_order(*frames)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plainly_wrong_order_is_named_by_one_frame(name):
    sent, said = PLAIN[name]
    assert all(said in other_order(xyz[list(sent)]) for xyz in DEMO)


@pytest.mark.parametrize("name", PLAIN | ALIKE)
def test_every_wrong_order_is_named_by_ten_frames(name):
    sent, said = (PLAIN | ALIKE)[name]
    random = np.random.default_rng(0)
    assert all(said in mean_order(xyz[list(sent)], 0.004, random) for xyz in DEMO)


def test_two_fingers_of_like_bones_that_are_exchanged_are_not_doubted_by_one_frame():
    for sent, _ in list(ALIKE.values())[1:]:
        assert not any(other_order(xyz[sent]) for xyz in DEMO)


@pytest.mark.parametrize("noise", [0.0, 0.004, 0.008, 0.012])
def test_a_right_order_is_never_doubted_in_the_mean(noise):
    random = np.random.default_rng(1)
    for seed in (71, 72, 73, 74):
        for track in draw_motion(1.0, seed).keypoints.values():
            assert mean_order(track[5], noise, random) == ""


def test_size_and_unit_do_not_matter():
    sent, said = PLAIN["InterHand"]
    assert said in other_order(1000 * DEMO[0][sent])
