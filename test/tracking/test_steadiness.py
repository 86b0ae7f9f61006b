"""Hands that jump along the ray or between two places are named; those that are moved are not."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import joints

from im2hands_ros.tracking.steadiness import Steadiness

RATE = 10.0  # frames a second: few


def kinds(depths: np.ndarray, noise: float = 0.01) -> set[str]:
    """Of a hand whose place and size change with its depth, as its pixels do not."""
    random, steadiness = np.random.default_rng(3), Steadiness()
    hands = [
        joints("left") * depth / 0.5 + random.normal(scale=noise, size=(21, 3)) for depth in depths
    ]
    return {kind for xyz in hands for kind, _ in steadiness.check({"left": xyz})}


@pytest.mark.parametrize("seed", range(5))
def test_a_hand_whose_depth_jumps_by_a_tenth_is_named(seed):
    jumps = np.random.default_rng(seed).normal(scale=0.1, size=60)
    assert kinds(0.5 * np.exp(jumps)) == {"unsteady_depth"}


@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0])
def test_a_hand_that_goes_to_and_fro_is_not(pace):
    assert kinds(0.5 + 0.1 * np.sin(2 * np.pi * pace * np.arange(60) / RATE + 0.3)) == set()


def test_a_hand_that_rests_under_noise_is_not():
    assert kinds(np.full(60, 0.5), noise=0.015) == set()


@pytest.mark.parametrize("beside", [(0.03, 0.0, 0.0), (0.0, -0.04, 0.01)])
def test_two_trackers_in_turns_are_named(beside):
    random, steadiness = np.random.default_rng(1), Steadiness()
    found: set[str] = set()
    for frame in range(40):
        moved = 0.1 * np.sin(frame / 6) + (frame % 2) * np.array(beside)
        xyz = joints("left") + moved + random.normal(scale=0.003, size=(21, 3))
        found |= {text for _, text in steadiness.check({"left": xyz})}
    assert found and all("the left hand is in two places in turns" in text for text in found)


@pytest.mark.parametrize("pace", [1.0, 2.0, 3.0, 4.0])
def test_a_hand_that_waves_is_not_in_two_places(pace):
    steadiness = Steadiness()
    for frame in range(60):
        xyz = joints("left") + [0.1 * np.sin(2 * np.pi * pace * frame / RATE + 0.3), 0.0, 0.0]
        assert not dict(steadiness.check({"left": xyz}))


def test_the_text_names_hand_and_remedy():
    random, steadiness = np.random.default_rng(0), Steadiness()
    depths = 0.5 + random.normal(scale=0.08, size=20)
    found = [dict(steadiness.check({"right": joints("right", depth=each)})) for each in depths]
    assert not any(found[:14])
    text = found[14]["unsteady_depth"]
    assert "the right hand jumps by" in text and "use_depth" in text
