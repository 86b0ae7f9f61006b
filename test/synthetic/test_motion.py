"""Drawn motion: smooth, repeatable, of one person's hands before the camera."""

from __future__ import annotations

import numpy as np

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.synthetic.sample import pose_hand


def test_keypoints_are_those_of_the_parameters():
    motion = draw_motion(0.5, seed=1)
    for side in SIDES:
        posed = pose_hand(side, motion.parameters[side][7])
        assert np.abs(posed.keypoints - motion.keypoints[side][7]).max() < 1e-5


def test_hands_move_smoothly_within_the_picture():
    motion = draw_motion(4.0, seed=2)
    for track in motion.keypoints.values():
        speed = np.linalg.norm(np.diff(track, axis=0), axis=-1) * 30
        assert speed.mean() > 0.05 and speed.max() < 4.0
        assert np.linalg.norm(np.diff(track, 2, axis=0), axis=-1).max() < 0.05
        pixels = motion.camera.project(track.reshape(-1, 3))
        inside = (pixels > 0) & (pixels < [motion.camera.width, motion.camera.height])
        assert inside.all(axis=1).mean() > 0.9


def test_a_seed_gives_the_same_motion_at_any_rate():
    slow, fast = (draw_motion(1.0, seed=3, rate=rate) for rate in (15.0, 30.0))
    assert np.allclose(slow.keypoints["left"], fast.keypoints["left"][::2], atol=1e-6)
    other = draw_motion(1.0, seed=4, rate=15.0)
    assert not np.allclose(slow.keypoints["left"], other.keypoints["left"], atol=1e-2)


def test_hands_cross_as_often_as_asked():
    motion = draw_motion(6.0, seed=5, crossings=6)
    across = motion.keypoints["right"].mean(1)[:, 0] > motion.keypoints["left"].mean(1)[:, 0]
    assert np.count_nonzero(np.diff(across)) >= 6
    apart = motion.keypoints["right"] - motion.keypoints["left"]
    assert np.linalg.norm(apart.mean(1), axis=-1).min() > 0.02
