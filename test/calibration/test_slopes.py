"""Points beside the skin keep a fit from making the field flat where points are noisy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture, untrained_networks

from im2hands_ros.calibration.field_fit import Adaptation, AdaptedField
from im2hands_ros.calibration.observations import (
    Observations,
    SeenHand,
    compact_networks,
    observations_of,
    seen_frame,
)
from im2hands_ros.calibration.slopes import with_slopes
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES

COUNT = 60


@pytest.fixture(scope="module")
def model() -> Im2Hands:
    return Im2Hands(untrained_networks(), torch.device("cpu"), torch.float32, {})


@pytest.fixture(scope="module")
def seen(model) -> Observations:
    """Points near the fingers of both hands; the last ten are bounds."""
    given = {side: joints(side) for side in SIDES}
    rng = np.random.default_rng(3)
    bound = np.arange(COUNT) >= COUNT - 10
    hands = [
        SeenHand(
            s, x, np.repeat(x[1:], 3, 0) + rng.normal(0, 0.005, (COUNT, 3)), 0 * bound, bound, 0
        )
        for s, x in given.items()
    ]
    return observations_of(hands, [seen_frame(model, picture(), given, CAMERA)])


def test_depths_beside_the_skin_differ_from_its_own_as_the_field_does(model, seen):
    network = compact_networks(model).initial
    none = Adaptation.none(network, 2)
    made = with_slopes(network, seen, none)
    assert torch.equal(made.points[:, :COUNT], seen.points) and made.points.shape[1] == 3 * COUNT
    with torch.no_grad():
        depth = AdaptedField(network).adapted(made, made.points, none) * 1e-3
    for part in (slice(COUNT, 2 * COUNT), slice(2 * COUNT, 3 * COUNT)):
        rise = depth[:, part] - depth[:, :COUNT]
        torch.testing.assert_close(made.depth[:, part], rise, atol=1e-5, rtol=0)
    known = made.weight[:, 2 * COUNT :] > 0
    assert known.any() and float(made.depth[:, 2 * COUNT :][known].median()) < -0.003


def test_there_is_nothing_beside_bounds(model, seen):
    network = compact_networks(model).initial
    made = with_slopes(network, seen, Adaptation.none(network, 2))
    beside = made.weight[:, COUNT:].reshape(2, 2, COUNT)
    assert not beside[..., COUNT - 10 :].any() and not made.bound[:, COUNT:].any()
