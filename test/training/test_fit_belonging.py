"""What the weights of `detection.belonging` are fitted on."""

from __future__ import annotations

import numpy as np
import pytest
import repository_tools

from im2hands_ros.detection.belonging import SECOND_WEIGHTS
from im2hands_ros.networks.compact.landmark_encoder import SeenHand

SHAPE = np.random.default_rng(0).uniform(0, 100, (21, 2))
LEFT, RIGHT, AWAY = SHAPE, SHAPE + (150, 0), SHAPE + (0, 200)


def seen(pixels: np.ndarray, presence: float = 0.9) -> SeenHand:
    return SeenHand(pixels, np.zeros(21), np.zeros((21, 3)), presence, 0.5, None, 1.0)


@pytest.fixture
def tool():
    return repository_tools.tool("fit_belonging")


@pytest.fixture
def judge(tool):
    judge = tool.Judge()
    judge.true = {"left": LEFT, "right": RIGHT}
    return judge


def asked(judge, pixels: np.ndarray, other: np.ndarray | None, *weights, there=0.9) -> float:
    return judge(seen(pixels), seen(pixels), seen(pixels, there), other, *weights)


def test_elected_hands_are_believed_and_right_where_they_lie_on_one(judge) -> None:
    assert asked(judge, LEFT + 5, RIGHT) == np.inf
    assert asked(judge, AWAY, None) == np.inf
    assert [on for _, on in judge.elected] == [True, False] and not judge.second


def test_candidates_are_right_where_they_lie_on_the_hand_that_is_not_the_first(judge) -> None:
    for place in (RIGHT + 5, LEFT + 5, AWAY):
        assert asked(judge, place, LEFT, SECOND_WEIGHTS) == -np.inf
    assert [on for _, on in judge.second] == [True, False, False] and not judge.elected


def test_nothing_is_learned_beside_no_hand_or_where_none_is_seen(judge) -> None:
    asked(judge, LEFT, AWAY, SECOND_WEIGHTS)
    asked(judge, LEFT, RIGHT, there=0.05)
    assert not judge.second and not judge.elected


def test_the_weights_tell_what_was_right(tool) -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(400, 6))
    rows = [(tuple(x), bool(2 * x[0] - x[4] + rng.normal() > 0)) for x in seen]
    *each, constant = tool.weights_of(rows)
    assert each[0] > 1 and each[4] < -0.5 and abs(constant) < 0.7
    assert np.abs(np.delete(each, (0, 4))).max() < 0.6
