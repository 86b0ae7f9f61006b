"""Another hand of the packaged one: still a hand, with other fingers and other places to bend."""

import numpy as np
import pytest
import torch
from bent_hand import pose_from_degrees

from im2hands_ros.synthetic.hand import ASSET, BakedHand
from im2hands_ros.synthetic.proportions import finger_columns, resize_finger, slide_knuckle, vary

KNUCKLES = [5, 9, 13, 17]


@pytest.fixture(scope="module")
def packaged():
    with np.load(ASSET) as asset:
        return dict(asset)


def volume(hand, angles):
    pose = pose_from_degrees(hand, angles)[None]
    place = torch.eye(3)[None], torch.zeros(1, 3)
    posed = hand.pose(pose, torch.zeros(1, hand.shape_dims), *place, "right")
    a, b, c = (posed.surface[0].double()[hand.triangles[:, corner]] for corner in range(3))
    return float((torch.linalg.cross(a, b) * c).sum() / 6)


def test_it_can_be_posed_and_keeps_its_volume_in_a_fist(packaged):
    fist = {f"{f}_{j}": 70 for f in ("index", "middle", "ring", "pinky") for j in ("mcp", "pip")}
    for seed in range(3):
        hand = BakedHand(vary(packaged, np.random.default_rng(seed)))
        flat = volume(hand, {})
        assert 1.5e-4 < flat < 6e-4
        assert volume(hand, fist) == pytest.approx(flat, rel=0.12)


def test_the_skin_is_shared_out_among_bones(packaged):
    weights = vary(packaged, np.random.default_rng(4))["weights"]
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert weights.min() >= 0
    # The forearm bends where it did.
    np.testing.assert_allclose(weights[:, 0], packaged["weights"][:, 0], atol=0.02)


def test_a_knuckle_moves_along_its_metacarpal_and_the_skin_follows(packaged):
    hand = {name: value.copy() for name, value in packaged.items()}
    slide_knuckle(hand, "index", -0.012)
    moved = hand["joints"] - packaged["joints"]
    assert np.linalg.norm(moved[5]) == pytest.approx(0.012, rel=1e-4)
    assert not np.delete(moved, 5, axis=0).any()
    np.testing.assert_allclose(hand["keypoints"][5] - packaged["keypoints"][5], moved[5], atol=1e-7)
    index = finger_columns("index")
    gained = hand["weights"][:, index].sum(1) - packaged["weights"][:, index].sum(1)
    near = np.linalg.norm(packaged["vertices"] - packaged["joints"][5], axis=1) < 0.03
    assert gained[near].sum() > 5 and np.abs(gained[~near]).sum() < 0.2 * gained[near].sum()


def test_a_finger_is_stretched_along_and_around_its_joints(packaged):
    hand = {name: value.copy() for name, value in packaged.items()}
    resize_finger(hand, "middle", 1.1, 0.8)

    def lengths(asset):
        return np.linalg.norm(np.diff(asset["joints"][9:12], axis=0), axis=1)

    np.testing.assert_allclose(lengths(hand), 1.1 * lengths(packaged), rtol=1e-4)
    tip = packaged["weights"][:, 12] > 0.99
    before, after = (np.ptp(asset["vertices"][tip, 0]) for asset in (packaged, hand))
    assert after == pytest.approx(0.8 * before, rel=0.06)


def test_a_seed_is_a_hand(packaged):
    first, again, other = (
        vary(packaged, np.random.default_rng(seed))["vertices"] for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=1e-4)
    knuckles = [
        vary(packaged, np.random.default_rng(seed))["keypoints"][KNUCKLES] for seed in (5, 6)
    ]
    assert np.abs(knuckles[0] - knuckles[1]).max() > 0.002
