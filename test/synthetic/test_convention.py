"""Another tracker's keypoints: how far, in which directions, alike on both hands."""

import pytest
import torch

from im2hands_ros.synthetic.convention import RANGES, joint_directions, vary_convention
from im2hands_ros.synthetic.hand import BakedHand

MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def keypoints():
    hand = BakedHand.load()
    generator = torch.Generator().manual_seed(7)
    low, high = hand.pose_limits
    pose = low + (high - low) * torch.rand(64, hand.pose_dims, generator=generator)
    return hand.rest_frame_keypoints(0.4 * pose, torch.zeros(64, hand.shape_dims))


def moved(keypoints, seed=1, side="right"):
    return vary_convention(keypoints, torch.Generator().manual_seed(seed), side)


def test_joints_stay_within_their_ranges(keypoints):
    offset = moved(keypoints) - keypoints
    directions = joint_directions(keypoints, "right")
    # Directions are not quite square to each other, so they are solved for.
    parts = torch.linalg.lstsq(directions.mT, offset[..., None]).solution[..., 0]
    still = (RANGES == 0).all(-1)
    low, high = RANGES.amin(-1) - 1e-4, RANGES.amax(-1) + 1e-4
    assert ((parts >= low) & (parts <= high))[:, ~still].all()


def test_knuckles_wrists_and_tips_move_by_centimetres_and_middle_joints_do_not(keypoints):
    size = (moved(keypoints) - keypoints).norm(dim=-1).amax(0)
    assert size[[0, 5, 9, 13, 17]].min() > 0.010 and size[[8, 12, 16, 20]].min() > 0.007
    assert size[[6, 7, 10, 11, 14, 15]].max() < 0.0065


def test_a_back_looks_out_of_the_back_of_the_hand(keypoints):
    back = joint_directions(keypoints, "right")[:, [0, 5, 9, 13], 1]
    assert (back[..., 2] < 0).float().mean() > 0.9  # the rest frame's z leaves the palm


def test_both_hands_of_a_tracker_have_the_same_convention(keypoints):
    left = moved(keypoints * MIRROR, side="left")
    torch.testing.assert_close(left * MIRROR, moved(keypoints), atol=1e-6, rtol=0)


def test_the_generator_decides_everything(keypoints):
    assert torch.equal(moved(keypoints, 3), moved(keypoints, 3))
    assert not torch.equal(moved(keypoints, 3), moved(keypoints, 4))
