"""Hands in a picture are seen where they are: turned, mirrored, large and at the border."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from im2hands_ros.networks.compact.landmark_encoder import LandmarkEncoder
from im2hands_ros.networks.compact.landmark_regions import moved, moved_back, region_of
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


@pytest.fixture(scope="module")
def encoder() -> LandmarkEncoder:
    return LandmarkEncoder.load()


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A rendered picture of both hands in full view, and where their joints are."""
    sequence = load_demo_sequence()
    frame = sequence.frames[25]
    return frame.image, {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}


def palm(joints: np.ndarray) -> float:
    return float(np.linalg.norm(joints[9] - joints[0]))


def test_both_hands_are_seen_around_noisy_joints(encoder, scene) -> None:
    image, true = scene
    rng = np.random.default_rng(0)
    given = {s: x + rng.normal(0, 0.2 * palm(x), x.shape) for s, x in true.items()}
    seen = encoder.see(image, given)
    for side, hand in seen.items():
        # Given they are a quarter of a palm off.
        assert np.linalg.norm(hand.pixels - true[side], axis=1).mean() < 0.2 * palm(true[side])
        assert hand.presence > 0.8
        assert (hand.right > 0.5) == (side == "right")


def test_a_mirrored_picture_of_a_left_hand_is_that_of_a_right_one(encoder, scene) -> None:
    image, true = scene
    width = image.shape[1]
    mirrored = {"right": true["left"] * (-1, 1) + (width - 1, 0)}
    one = encoder.see(image, {"left": true["left"]})["left"]
    other = encoder.see(np.ascontiguousarray(image[:, ::-1]), mirrored)["right"]
    assert np.abs(other.pixels * (-1, 1) + (width - 1, 0) - one.pixels).max() < 0.2
    assert np.abs(other.shape * (-1, 1, 1) - one.shape).max() < 1e-3
    assert abs(other.right + one.right - 1) < 0.01


def test_a_turned_picture_turns_what_is_seen(encoder, scene) -> None:
    image, true = scene
    joints, height = true["right"], image.shape[0]
    turned = np.column_stack([height - 1 - joints[:, 1], joints[:, 0]])
    one = encoder.see(image, {"right": joints})["right"]
    clockwise = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
    other = encoder.see(clockwise, {"right": turned})["right"]
    expected = np.column_stack([height - 1 - one.pixels[:, 1], one.pixels[:, 0]])
    assert np.abs(other.pixels - expected).max() < 0.5
    shape = np.column_stack([-one.shape[:, 1], one.shape[:, 0], one.shape[:, 2]])
    assert np.abs(other.shape - shape).max() < 1e-3
    assert np.abs(other.relief - one.relief).max() < 0.5


def test_an_enlarged_picture_shows_the_same(encoder, scene) -> None:
    image, true = scene
    factor = 6
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    joints = (true["right"] + 0.5) * factor - 0.5
    one = encoder.see(image, {"right": true["right"]})["right"]
    other = encoder.see(large, {"right": joints})["right"]
    assert np.abs((other.pixels + 0.5) / factor - 0.5 - one.pixels).max() < 0.03 * palm(joints)
    assert np.abs(other.relief / factor - one.relief).max() < 0.03 * palm(joints)


def test_several_regions_at_once_give_what_each_gives_alone(encoder, scene) -> None:
    image, true = scene
    regions = [region_of(true["left"], True), region_of(true["right"]), region_of(true["left"])]
    together = encoder(image, regions)
    for region, found in zip(regions, together, strict=True):
        (alone,) = encoder(image, [region])
        assert np.abs(alone.pixels - found.pixels).max() < 0.05
    assert encoder(image, []) == []


@pytest.mark.parametrize("mirrored", [False, True])
def test_regions_are_upright_and_go_back_and_forth(mirrored, scene) -> None:
    joints = scene[1]["left"]
    region = region_of(joints, mirrored)
    inside = moved(joints, region)
    assert np.abs(moved_back(inside, region) - joints).max() < 1e-9
    knuckles = (inside[[5, 13]].mean(0) + inside[9]) / 2
    assert abs(knuckles[0] - inside[0, 0]) < 1e-6 and knuckles[1] < inside[0, 1]
    # The thumb of a right hand seen from its palm, or of a left one in the mirror, is on one side.
    assert (np.linalg.det(region[:, :2]) < 0) == mirrored


def test_joints_that_all_coincide_still_have_a_region(encoder, scene) -> None:
    (found,) = encoder(scene[0], [region_of(np.full((21, 2), 50.0))])
    assert np.isfinite(found.pixels).all()


@pytest.mark.parametrize("joints", [np.full((21, 2), np.nan), np.zeros((20, 2))])
def test_joints_that_cannot_be_are_refused(joints) -> None:
    with pytest.raises(ValueError, match=r"finite \(21, 2\)"):
        region_of(joints)
