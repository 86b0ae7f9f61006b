"""The One-Euro filter: calm at rest, no lag in motion, no memory of what is over."""

from __future__ import annotations

import numpy as np

from im2hands_ros.tracking.one_euro import OneEuro

REST = np.full((21, 3), 0.5, np.float32)
PERIOD = 1 / 30


def test_noise_on_a_resting_hand_shrinks_to_less_than_half():
    random = np.random.default_rng(0)
    smooth = OneEuro()
    noisy = [(REST + random.normal(0, 0.002, REST.shape)).astype(np.float32) for _ in range(120)]
    quiet = [smooth(points, i * PERIOD, 1.0) for i, points in enumerate(noisy)]
    assert quiet[0].dtype == np.float32
    assert np.std(quiet[30:], axis=0).mean() < np.std(noisy[30:], axis=0).mean() / 2


def test_a_hand_in_motion_lags_less_than_two_frames():
    smooth, speed = OneEuro(), 0.5
    for i in range(60):
        seconds = i * PERIOD
        now = smooth(REST + np.float32(speed * seconds), seconds, 1.0)
    lag = (REST + speed * 59 * PERIOD - now).mean() / speed
    assert 0 < lag < 2 * PERIOD


def test_a_higher_cutoff_follows_faster():
    ends = []
    for cutoff in (0.5, 5.0):
        smooth = OneEuro()
        smooth(REST, 0.0, cutoff)
        ends.append(float(smooth(REST + np.float32(0.001), PERIOD, cutoff).mean()))
    assert ends[0] < ends[1]


def test_it_starts_afresh_after_a_reset_a_gap_and_a_step_back():
    smooth, elsewhere = OneEuro(), REST + np.float32(1)
    for reset, seconds in ((True, 1.1), (False, 3.0), (False, 0.5)):
        smooth(REST, 1.0, 1.0)
        if reset:
            smooth.reset()
        assert np.array_equal(smooth(elsewhere, seconds, 1.0), elsewhere)
