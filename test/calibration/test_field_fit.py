"""Offsets and flesh found again from points that are known to lie on the skin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from two_hands import CAMERA, joints, picture, untrained_networks

from im2hands_ros.calibration.calibrate import link_lengths
from im2hands_ros.calibration.field_fit import Adaptation, AdaptedField, adapted_joints, fit
from im2hands_ros.calibration.observations import (
    Observations,
    SeenHand,
    compact_networks,
    observations_of,
    seen_frame,
)
from im2hands_ros.joint_frames import moved_joints
from im2hands_ros.networks.compact.bone_geometry import SLOT_COUNT
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import LINKS, SIDES

# The untrained field is a union of capsules: what is fitted is known exactly.
OFFSETS = np.zeros((21, 3))
OFFSETS[[6, 10, 14], 1] = 0.004
THICKER = 0.002


@pytest.fixture(scope="module")
def model() -> Im2Hands:
    return Im2Hands(untrained_networks(), torch.device("cpu"), torch.float32, {})


def known(model: Im2Hands, thickness: float) -> Adaptation:
    none = Adaptation.none(compact_networks(model).initial, 2)
    return none._replace(
        offsets=torch.from_numpy(OFFSETS).float(), thickness=torch.full((SLOT_COUNT,), thickness)
    )


@pytest.fixture(scope="module")
def seen(model) -> Observations:
    """Points around both hands, with their depth under the skin of the known hands."""
    given = {side: joints(side) for side in SIDES}
    frame = seen_frame(model, picture(), given, CAMERA)
    rng = np.random.default_rng(1)
    hands = []
    for side, xyz in given.items():
        points = np.repeat(xyz[1:], 20, 0) + rng.normal(0, 0.006, (400, 3))
        blank = np.zeros(400)
        hands.append(SeenHand(side, xyz, points, blank, blank > 0, 0))
    observed = observations_of(hands, [frame])
    field = AdaptedField(compact_networks(model).initial)
    with torch.no_grad():
        depth = field.adapted(observed, observed.points, known(model, THICKER)) * 1e-3
    return observed._replace(depth=depth)


def test_offsets_move_the_joints_as_at_run_time(model, seen):
    moved = adapted_joints(seen, known(model, 0)).numpy()
    for xyz, side in zip(moved, SIDES, strict=True):
        np.testing.assert_allclose(xyz, moved_joints(joints(side), side, OFFSETS), atol=1e-6)


def test_offsets_and_thickness_are_found_again(model, seen):
    found = fit(compact_networks(model).initial, seen, ("offsets", "thickness"), steps=40)
    off = np.linalg.norm(found.offsets.numpy() - OFFSETS, axis=1)
    assert off[[6, 10, 14]].max() < 0.002 and off[1:].mean() < 0.0012
    assert 0.7 * THICKER < float(found.thickness.median()) < 1.3 * THICKER


def test_what_is_not_free_stays(model, seen):
    found = fit(compact_networks(model).initial, seen, ("offsets",), steps=3)
    assert not found.code.any() and not found.thickness.any() and not found.moves.any()
    assert found.offsets.any()


def test_networks_are_left_as_they_were(model, seen):
    before = {name: value.clone() for name, value in model.networks.state_dict().items()}
    fit(compact_networks(model).initial, seen, steps=2)
    for name, value in model.networks.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_bound_counts_only_where_the_hand_is_beyond_it(model, seen):
    everywhere = torch.ones_like(seen.bound)
    above = seen._replace(bound=everywhere, depth=seen.depth + 0.05)
    found = fit(compact_networks(model).initial, above, ("offsets",), steps=3)
    assert not found.offsets.any()


def test_lengths_are_those_under_the_noise():
    rng = np.random.default_rng(2)
    noisy = joints("right") + rng.normal(0, 0.005, (400, 21, 3))
    starts, ends = np.array(LINKS).T
    true = np.linalg.norm(joints("right")[ends] - joints("right")[starts], axis=1)
    assert np.abs(link_lengths(noisy) - true).max() < 0.0025
    of_means = np.linalg.norm(noisy[:, ends] - noisy[:, starts], axis=2).mean(0)
    assert np.abs(of_means - true).max() > 0.0015
