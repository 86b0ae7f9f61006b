"""One hand over time: less noise, no lag, bones that keep their length."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import joints

from im2hands_ros.skeleton import BONES
from im2hands_ros.tracking.hand_filter import HandFilter, rotation

RATE = 30.0
STARTS, ENDS = np.array(BONES).T


def filtered(measured: np.ndarray, stamps: np.ndarray | None = None) -> np.ndarray:
    """(T, 21, 3) after the filter of (T, 21, 3)."""
    stamps = np.arange(len(measured)) / RATE if stamps is None else stamps
    hand = HandFilter(measured[0], stamps[0])
    out = [hand.joints]
    for xyz, stamp in zip(measured[1:], stamps[1:], strict=True):
        hand.predict(stamp)
        hand.correct(xyz)
        out.append(hand.joints)
    return np.array(out)


def noisy(true: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    return true + np.random.default_rng(seed).normal(0, noise, true.shape)


def moving(seconds: float, velocity: float) -> np.ndarray:
    """A hand that goes to the side and turns meanwhile."""
    stamps = np.arange(round(seconds * RATE)) / RATE
    hand = joints("right") - joints("right").mean(0)
    turned = [hand @ rotation(np.array([0.0, 0.8 * t, 0.3 * t])).T for t in stamps]
    return (
        np.array(turned)
        + np.array([[[-0.3, 0, 0.5]]])
        + velocity * stamps[:, None, None] * np.array([1.0, 0, 0])
    )


def distance(out: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(out - true, axis=-1)[30:].mean())


@pytest.mark.parametrize("noise", [0.003, 0.010])
def test_noise_of_a_still_hand_is_mostly_gone(noise):
    true = np.repeat(joints("left")[None].astype(np.float64), 120, 0)
    given = noisy(true, noise)
    out = filtered(given)
    assert distance(out, true) < 0.5 * distance(given, true)
    tremble = [np.linalg.norm(np.diff(x[30:], 2, axis=0), axis=-1).mean() for x in (out, given)]
    assert tremble[0] < 0.25 * tremble[1]


def test_a_hand_in_steady_motion_is_not_behind():
    true = moving(3.0, velocity=1.0)
    out = filtered(noisy(true, 0.005))
    behind = (true - out)[30:].mean(axis=(0, 1))[0]
    assert abs(behind) < 0.020 * 1.0  # metres in 20 ms at 1 m/s
    assert distance(out, true) < 0.006


def test_what_is_measured_exactly_is_kept():
    true = moving(2.0, velocity=0.5)
    assert distance(filtered(true), true) < 0.0007


def test_bones_are_held_at_their_mean_length():
    true = moving(6.0, velocity=0.1)
    out = filtered(noisy(true, 0.008))
    lengths = np.linalg.norm(out[:, ENDS] - out[:, STARTS], axis=-1)[90:]
    given = np.linalg.norm(np.diff(noisy(true, 0.008)[:, [STARTS, ENDS]], axis=1)[:, 0], axis=-1)
    assert lengths.std(0).mean() < 0.25 * given[90:].std(0).mean()
    assert (
        np.abs(lengths.mean(0) - np.linalg.norm(true[0, ENDS] - true[0, STARTS], axis=-1)).mean()
        < 0.002
    )


def test_depth_of_a_tracker_that_only_guesses_it_is_filtered_harder():
    true = np.repeat(joints("right", x=0.0)[None].astype(np.float64), 150, 0)
    random = np.random.default_rng(1)
    given = true + random.normal(0, [0.002, 0.002, 0.002], true.shape)
    given += random.normal(0, [0.001, 0.001, 0.030], (len(true), 1, 3))  # of the whole hand
    out = filtered(given)

    def tremble(tracks: np.ndarray, axis: int) -> float:
        return float(np.diff(tracks[30:, ..., axis].mean(1), 2, axis=0).std())

    assert tremble(out, 2) < 0.2 * tremble(given, 2)


def test_frames_at_uneven_times_are_no_accelerations():
    random = np.random.default_rng(2)
    stamps = np.cumsum(random.choice([1, 1, 2, 4], 90)) / RATE
    true = np.array([joints("right") + [0.4 * t, 0, 0] for t in stamps])
    assert distance(filtered(true, stamps), true) < 0.001


def test_a_joint_far_off_hardly_moves_the_hand():
    true = np.repeat(joints("left")[None].astype(np.float64), 60, 0)
    given = noisy(true, 0.002)
    given[45, 8] += [0.1, 0.0, 0.1]
    out = filtered(given)
    others = np.delete(np.arange(21), [5, 6, 7, 8])
    assert np.linalg.norm((out - true)[45, others], axis=-1).max() < 0.008


def test_an_unseen_hand_comes_to_rest():
    hand = HandFilter(joints("right"), 0.0)
    for frame in range(1, 30):
        hand.predict(frame / RATE)
        hand.correct(joints("right") + np.float32([0.02 * frame, 0, 0]))  # 0.6 m/s
    places = [hand.centre[0]]
    for frame in range(30, 60):
        hand.predict(frame / RATE, seen=False)
        places.append(hand.centre[0])
    steps = np.diff(places)
    assert 0.01 < steps[0] < 0.021 and (np.diff(steps) < 0).all() and steps[-1] < 0.001
