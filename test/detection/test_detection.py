"""Landmarks in a picture to hands in metres: two hands of one person, mirrored pictures."""

from __future__ import annotations

import numpy as np
import pytest
from seen_hands import (
    CAMERA,
    PerfectFinder,
    depth_image,
    fingers,
    landmarks_of,
    open_hand,
    shifted,
)

from im2hands_ros.camera import Camera
from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.lift import lift, settle_pair
from im2hands_ros.skeleton import SIDES, WRIST


def test_a_detector_gives_both_hands_with_their_confidence() -> None:
    pair = {
        side: landmarks_of(shifted(open_hand(), x), CAMERA, right, 0.5)
        for side, x, right in (("left", -0.15, 0.4), ("right", 0.15, 0.9))
    }
    detector = HandDetector(PerfectFinder(pair))
    hands = detector.detect(np.zeros((480, 640, 3), np.uint8), CAMERA)
    # Half there, and 0.6 · 0.9 against 0.4 · 0.1 that they are not each other's side.
    assert [hand.confidence for hand in hands.values()] == pytest.approx([0.5 * 0.54 / 0.58] * 2)
    for side, hand in hands.items():
        assert np.allclose(hand.keypoints_px, pair[side].pixels, atol=1e-3)
    assert hands["left"].keypoints[:, 0].mean() < 0 < hands["right"].keypoints[:, 0].mean()


def test_two_hands_come_nearer_to_one_distance_on_their_rays() -> None:
    near, far = (shifted(open_hand(z), x) for z, x in ((0.4, -0.04), (0.5, 0.05)))
    first, second = settle_pair(near, far)
    for before, after in ((near, first), (far, second)):
        assert np.allclose(CAMERA.project(after), CAMERA.project(before), atol=0.01)
    assert 0.9 < first[:, 2].mean() / second[:, 2].mean() < 0.96
    assert first[:, 2].mean() * second[:, 2].mean() == pytest.approx(0.4 * 0.5, rel=0.01)


def test_the_hand_of_another_person_stays_where_it_seems_to_be() -> None:
    pair = open_hand(0.4), open_hand(0.9)
    assert all(np.array_equal(*both) for both in zip(settle_pair(*pair), pair, strict=True))


def test_a_detector_settles_two_hands_unless_a_depth_image_shows_them() -> None:
    joints = [shifted(open_hand(z), x) for z, x in ((0.4, -0.05), (0.5, 0.06))]
    pair = {
        side: landmarks_of(hand, CAMERA, right)
        for side, hand, right in zip(SIDES, joints, (0, 1), strict=True)
    }
    picture = np.zeros((480, 640, 3), np.uint8)

    def ratio(depth: np.ndarray | None) -> float:
        hands = HandDetector(PerfectFinder(pair)).detect(picture, CAMERA, depth)
        return hands["left"].keypoints[:, 2].mean() / hands["right"].keypoints[:, 2].mean()

    assert ratio(None) > 0.9
    depths = [depth_image(hand, CAMERA) for hand in joints]
    assert ratio(np.where(depths[0] > 0, *depths)) == pytest.approx(0.8, abs=0.01)


def test_without_hands_there_are_none() -> None:
    detector = HandDetector(PerfectFinder({}))
    assert detector.detect(np.zeros((480, 640, 3), np.uint8), CAMERA) == {
        "left": None,
        "right": None,
    }


def test_a_mirrored_picture_gives_the_real_hand() -> None:
    joints = open_hand()
    # The principal point is in the middle, so that one camera fits both pictures.
    camera = Camera(640, 480, CAMERA.fx, CAMERA.fy, 319.5, CAMERA.cy)
    plain = landmarks_of(joints, camera)
    ramp = np.tile(np.arange(640, dtype=np.uint16).astype(np.uint8)[None, :, None], (480, 1, 3))
    seen = []

    def hands_of(image: np.ndarray) -> dict[str, Landmarks]:
        seen.append(image.copy())
        return {"right": plain}

    hands = HandDetector(PerfectFinder(hands_of)).detect(ramp, camera, mirrored=True)
    assert np.array_equal(seen[0], ramp[:, ::-1])
    mirrored = plain.pixels * (-1, 1) + (639, 0)
    assert np.allclose(hands["right"].keypoints_px, mirrored, atol=1e-3)
    assert np.allclose(hands["right"].keypoints, lift(plain, camera), atol=1e-5)


def test_a_mirrored_picture_s_depth_is_read_where_the_hand_is_in_it() -> None:
    joints = open_hand(0.62)
    camera = Camera(640, 480, 560.0, 560.0, 319.5, 239.5)
    depth = depth_image(joints, camera)[:, ::-1]
    plain = landmarks_of(joints, camera)
    detector = HandDetector(PerfectFinder({"right": plain}))
    picture = np.zeros((480, 640, 3), np.uint8)
    hands = detector.detect(picture, camera, depth, mirrored=True)
    assert np.abs(fingers(hands["right"].keypoints) - fingers(joints)).max() < 0.004


def test_close_ups_say_where_the_joints_of_a_hand_are() -> None:
    seen = landmarks_of(open_hand(), CAMERA, 0.9)
    picture, shown = np.zeros((480, 640, 3), np.uint8), []

    def close_ups(image: np.ndarray, hands: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        shown.append((image, hands))
        return {side: hand + (3.0, -2.0, 0.0) for side, hand in hands.items()}

    detector = HandDetector(PerfectFinder({"right": seen}), close_ups=close_ups)
    hand = detector.detect(picture, CAMERA)["right"]
    ((image, hands),) = shown
    assert image is picture
    assert np.array_equal(hands["right"], np.column_stack([seen.pixels, seen.relief]))
    assert np.allclose(hand.keypoints_px, seen.pixels + (3, -2), atol=1e-3)
    joints = [joint for joint in range(21) if joint != WRIST]
    assert np.allclose(CAMERA.project(hand.keypoints)[joints], hand.keypoints_px[joints], atol=0.01)
