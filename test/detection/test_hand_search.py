"""The packaged networks on rendered hands: turned, mirrored, small and not there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from im2hands_ros.detection import HandDetector
from im2hands_ros.detection.palms import PalmDetector, palm_region
from im2hands_ros.detection.search import ROUNDS, HandSearch
from im2hands_ros.detection.views import Turn, picture_views, tiles, view
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import (
    CONDITIONED_WEIGHTS,
    SECOND_HAND_WEIGHTS,
    ConditionedEncoder,
    LandmarkEncoder,
)
from im2hands_ros.networks.compact.landmark_regions import moved, region_of
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE, PALM_JOINTS
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


@pytest.fixture(scope="module")
def search() -> HandSearch:
    second = ConditionedEncoder.load(SECOND_HAND_WEIGHTS)
    networks = (LandmarkEncoder.load(), ConditionedEncoder.load(), second)
    return HandSearch(PalmDetector.load(), *networks)


@pytest.fixture(scope="module")
def scene():
    """A picture with both hands in full view, and their true pixels."""
    sequence = load_demo_sequence()
    frame = sequence.frames[25]
    true = {s: sequence.camera.project(joints) for s, joints in frame.true_keypoints.items()}
    return frame.image, true, sequence.camera


def error(found, true) -> float:
    return float(np.linalg.norm(found - true, axis=1).mean())


@pytest.mark.parametrize("turns", range(4))
def test_both_hands_are_found_however_the_picture_is_turned(search, scene, turns) -> None:
    image, true, _ = scene
    for _ in range(turns):
        true = {
            s: np.column_stack([p[:, 1], image.shape[1] - 1 - p[:, 0]]) for s, p in true.items()
        }
        image = np.ascontiguousarray(np.rot90(image))
    hands = search.search(image, {})
    for side, pixels in true.items():
        assert error(hands[side].pixels, pixels) < 25


def test_in_the_mirror_the_hands_are_of_the_other_sides(search, scene) -> None:
    image, true, _ = scene
    hands = search.search(np.ascontiguousarray(image[:, ::-1]), {})
    for side, other in (("left", "right"), ("right", "left")):
        mirrored = true[other] * (-1, 1) + (image.shape[1] - 1, 0)
        assert error(hands[side].pixels, mirrored) < 25


def test_a_hand_is_seen_where_it_is_believed_to_be(search, scene) -> None:
    image, true, _ = scene
    seen = search.see(image, true)
    for side, hand in seen.items():
        assert hand.presence > 0.5 and hand.is_of(side) > 0.5
        assert error(hand.pixels, true[side]) < 20


def test_touching_hands_are_seen_better_by_the_network_conditioned_on_both(search) -> None:
    sequence = load_demo_sequence()
    alone, conditioned = [], []
    for frame in sequence.frames[18:48:6]:
        true = {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}
        hands = search.search(frame.image, {})
        around = {side: hand.pixels for side, hand in hands.items()}
        for side, hand in search.see(frame.image, around).items():
            alone.append(error(hand.pixels, true[side]))
            conditioned.append(error(hands[side].pixels, true[side]))
    assert len(conditioned) == 10 and np.mean(conditioned) < 0.75 * np.mean(alone)


def test_a_second_hand_is_settled_by_what_is_known_of_the_first(search, scene) -> None:
    image, true, _ = scene
    seen = search.see_pair(image, true)
    found = search.search(image, {"left": seen["left"]})
    assert set(found) == {"right"} and error(found["right"].pixels, true["right"]) < 15
    assert found["right"].is_of("right") != seen["right"].is_of("right")


@pytest.mark.parametrize("weights", [CONDITIONED_WEIGHTS, SECOND_HAND_WEIGHTS])
def test_the_packaged_weights_are_a_network_and_what_reads_it_in_half_precision(weights) -> None:
    tensors, record = checkpoints.read(weights)
    assert {name.partition(".")[0] for name in tensors} == {"landmarks", "fits"}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert record["licence"] == "Apache-2.0"
    notice = weights.parents[1] / "NOTICE"
    assert f"weights/{weights.name}\n" in notice.read_text()


def test_known_hands_are_not_returned(search, scene) -> None:
    image, true, _ = scene
    seen = search.see(image, true)
    assert search.search(image, seen) == {}
    assert "left" not in search.search(image, {"left": seen["left"]})


@pytest.mark.parametrize("part", range(ROUNDS))
def test_where_there_is_no_hand_none_is_found(search, part) -> None:
    rng = np.random.default_rng(part)
    noise = rng.integers(0, 255, (12, 16, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    assert search.search(noise, {}, part) == {}


@pytest.mark.parametrize("stamp", [None, 1.0], ids=["image", "frame of a video"])
def test_a_detector_gives_joints_in_the_picture_and_in_space(scene, stamp) -> None:
    image, true, camera = scene
    for side, hand in HandDetector.load().detect(image, camera, stamp=stamp).items():
        assert hand.keypoints.shape == (21, 3)
        assert error(hand.keypoints_px, true[side]) < 20
        assert 0.25 < hand.confidence <= 1


@pytest.mark.parametrize("turn", [Turn(0, False), Turn(30, True), Turn(-90, False, 0.5)])
def test_a_view_shows_its_area_in_the_middle(turn) -> None:
    middle = np.array([100.0, 50.0])
    affine = view(middle, 80.0, turn)
    assert np.allclose(moved(middle, affine), (INPUT_SIZE - 1) / 2)
    edge = moved(middle + (40, 0), affine) - moved(middle, affine)
    assert np.linalg.norm(edge) == pytest.approx(turn.zoom * INPUT_SIZE / 2)
    assert np.linalg.det(affine[:, :2]) * (1 - 2 * turn.mirrored) > 0


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (300, 300)])
def test_tiles_cover_the_picture(size) -> None:
    corners = np.array([(x, y) for x in (0, size[1] - 1) for y in (0, size[0] - 1)], float)
    (whole,) = picture_views(size, (Turn(0, False),))
    assert ((moved(corners, whole) > -1) & (moved(corners, whole) < INPUT_SIZE)).all()
    inside = [
        ((moved(corners, it) > -2) & (moved(corners, it) < INPUT_SIZE + 1)).all(1)
        for it in tiles(size)
    ]
    assert np.any(inside, axis=0).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_palm_s_region_is_about_that_of_its_joints(scene, mirrored) -> None:
    for joints in scene[1].values():
        of_palm = palm_region(joints[list(PALM_JOINTS)], mirrored)
        of_joints = region_of(joints, mirrored)
        assert np.abs(moved(joints, of_palm) - moved(joints, of_joints)).mean() < 35
