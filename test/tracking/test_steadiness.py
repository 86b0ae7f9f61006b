"""A hand that jumps along the ray is named; one that is moved to and fro is not."""

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


def test_the_text_names_hand_and_remedy():
    steadiness = Steadiness()
    found = [
        dict(steadiness.check({"right": joints("right", depth=0.5 + 0.1 * (n % 2))}))
        for n in range(20)
    ]
    assert not any(found[:14])
    text = found[14]["unsteady_depth"]
    assert "the right hand jumps by 100 mm" in text and "use_depth" in text
