"""Hands cut out of photographs and laid over each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import repository_tools
from ball_scenes import BallScenes

from im2hands_ros.skeleton import BONES, TIPS, WRIST
from im2hands_ros.training.landmark_batches import in_picture


@pytest.fixture(scope="module")
def tool():
    return repository_tools.tool("overlay_hands")


def cutting_of(tool, colour: int):
    """A right hand of one colour."""
    joints = in_picture(BallScenes(1)[0])["right"].copy()
    joints[:, :2] -= joints[:, :2].min(0) - 20
    size = np.ceil(joints[:, :2].max(0) + 20).astype(int)
    share = np.zeros((size[1], size[0]), np.float32)
    for a, b in BONES:
        ends = (tuple(int(v) for v in np.rint(joints[j, :2])) for j in (a, b))
        cv2.line(share, *ends, 1.0, 12)
    return tool.Cutting(np.full((*share.shape, 3), colour, np.uint8), share, joints)


def test_fingers_are_a_part_of_the_hand_and_away_from_its_wrist(tool) -> None:
    hand = tool.lay(cutting_of(tool, 200), "right", np.array([190.0, 190.0]), 80.0, 0.0)
    for seed in range(8):
        share = tool.fingers_share(hand, np.random.default_rng(seed))
        assert (share <= hand.share + 1e-6).all() and 0 < share.sum() < 0.8 * hand.share.sum()
        x, y = np.rint(hand.joints[WRIST, :2]).astype(int)
        assert share[y, x] == 0
        tips = np.rint(hand.joints[list(TIPS), :2]).astype(int)
        assert sum(share[y, x] > 0.3 for x, y in tips) < len(TIPS)


def test_fingers_of_the_lower_hand_come_through_the_upper_one(tool, monkeypatch) -> None:
    cuttings = [cutting_of(tool, 60), cutting_of(tool, 230)]
    shown = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(tool, "INTERLEAVED", share)
        shown[share] = [_lower_shown(tool, cuttings, seed) for seed in range(12)]
    assert max(shown[0.0]) < 0.02
    assert sum(there > 0.05 for there in shown[1.0]) > 2


def _lower_shown(tool, cuttings, seed: int) -> float:
    """Of what both hands cover, the share that looks like the lower one."""
    picture, (lower, upper) = tool.overlay(cuttings, True, np.random.default_rng(seed))
    both = (lower.share > 0.99) & (upper.share > 0.99)
    apart = np.abs(lower.picture.astype(float) - upper.picture).mean(-1)
    off = np.abs(picture.astype(float) - lower.picture).mean(-1)
    of_two = both & (apart > 60)
    return float((off < 25)[of_two].mean()) if of_two.any() else 0.0
