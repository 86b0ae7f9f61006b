"""Crops for the landmark network show the hand that is meant, with hints where it is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ball_scenes import BallScenes

from im2hands_ros.training.crop_errors import CropErrors, shaken
from im2hands_ros.training.landmark_batches import (
    are_near,
    collate_crops,
    crop_of,
    draw_crop,
    in_picture,
)

NOTHING = CropErrors(
    noise=(1e-9, 1e-9), shift=0, turn=0, size=0, wrong_side_share=0, absent_share=0
)


def exact(scene):
    return {side: joints[:, :2] for side, joints in in_picture(scene).items()}


@pytest.mark.parametrize("side", ["left", "right"])
def test_exact_hints_are_the_target_and_the_other_hand_lies_in_the_same_crop(side) -> None:
    scene = BallScenes(1)[0]
    crop = crop_of(scene, exact(scene), side)
    assert np.abs(crop.hints[0] - crop.target[:, :2]).max() < 1e-6
    assert crop.both and crop.there and crop.right
    # Upright: the middle finger's knuckle is above the wrist, in both hands' own mirror.
    assert crop.target[9, 1] < crop.target[0, 1]
    thumb = crop.target[4, 0] - crop.target[0, 0]
    other = crop_of(scene, exact(scene), "left" if side == "right" else "right")
    assert np.sign(thumb) == np.sign(other.target[4, 0] - other.target[0, 0])
    assert crop.target[0, 2] == 0
    assert 40 < crop.palm < 120


def test_a_hand_alone_has_no_other_and_one_beside_the_crop_is_not_there() -> None:
    scene = BallScenes(2)[1]
    crop = crop_of(scene, exact(scene), "left")
    assert not crop.both and np.array_equal(crop.hints[0], crop.hints[1])
    beside = crop_of(scene, exact(scene), "left", beside=np.array([2.0, 0.0]))
    assert not beside.there
    inside = ((beside.target[:, :2] > 0) & (beside.target[:, :2] < 224)).all(1)
    assert inside.mean() < 0.3


def test_a_hand_taken_for_the_other_side_is_in_the_mirror() -> None:
    scene = BallScenes(1)[0]
    crop = crop_of(scene, exact(scene), "left", wrong_side=True)
    true = crop_of(scene, exact(scene), "left")
    assert not crop.right
    assert np.allclose(crop.target[:, 0] + true.target[:, 0], 223, atol=1e-6)


def test_draws_are_the_same_for_the_same_numbers_and_batch_up() -> None:
    scenes = BallScenes(4)
    first, again = (
        [draw_crop(scenes, CropErrors(), np.random.default_rng(n)) for n in range(4)]
        for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    batch = collate_crops(first)
    assert (
        batch.image.shape == (4, 3, 224, 224) and 0 <= batch.image.min() <= batch.image.max() <= 1
    )
    assert batch.hints.joints.shape == (4, 2, 21, 2) and batch.target.shape == (4, 21, 3)
    assert batch.hints.both.tolist() == [float(crop.both) for crop in first]


def test_without_errors_hints_are_where_the_joints_are() -> None:
    joints = in_picture(BallScenes(1)[0])["left"]
    hints = shaken(joints[:, :2], NOTHING, np.random.default_rng(0))
    assert np.abs(hints - joints[:, :2]).max() < 1e-5


def test_hands_that_touch_are_near_and_hands_apart_are_not() -> None:
    joints = in_picture(BallScenes(1)[0])
    assert not are_near({"left": joints["left"]})
    apart = {"left": joints["left"] - (500, 0, 0), "right": joints["right"]}
    assert not are_near(apart)
    assert are_near({"left": joints["left"], "right": joints["left"] + (20, 0, 0)})


def drawn(count: int, **errors) -> list:
    scenes, settings = BallScenes(8), replace(NOTHING, **errors)
    return [draw_crop(scenes, settings, np.random.default_rng(n)) for n in range(count)]


def test_crops_of_a_search_have_no_hints_and_more_errors() -> None:
    errors = replace(CropErrors(), unknown_absent_share=0.5, unknown_wrong_side_share=0.5)
    assert errors.of_unknown().shift == 2.5 * errors.shift
    crops = drawn(24, unknown_share=1.0, unknown_absent_share=0.5, unknown_wrong_side_share=0.5)
    assert not any(crop.known for crop in crops)
    assert 4 < sum(crop.there for crop in crops) < 20
    assert 4 < sum(crop.right for crop in crops) < 20
    assert collate_crops(crops).hints.known.tolist() == [0.0] * 24


def test_a_hand_is_not_the_other_one_too() -> None:
    ghosts = [crop for crop in drawn(24, ghost_share=1.0) if not crop.there]
    assert len(ghosts) > 8
    for crop in ghosts:
        assert crop.both and crop.known
        middle = crop.hints.mean(1)
        assert np.linalg.norm(middle[0] - middle[1]) < np.ptp(crop.hints[1], axis=0).max()


def test_what_a_network_saw_is_a_hint_only_where_it_saw_that_hand() -> None:
    crops = drawn(24, seen_share=1.0, absent_share=0.3)
    assert {crop.seen for crop in crops if crop.there} == {1, 2}
    assert {crop.seen for crop in crops if not crop.there} == {0}
