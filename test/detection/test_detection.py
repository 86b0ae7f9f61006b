"""Landmarks of a video to hands: sides, two hands of one person, mirrored pictures."""

from __future__ import annotations

import numpy as np
import pytest
from seen_hands import CAMERA, depth_image, fingers, landmarks_of, open_hand, shifted

from im2hands_ros.camera import Camera
from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.lift import lift, settle_pair
from im2hands_ros.detection.sides import Sides


def sides_of(*rights: float, sides: Sides | None = None, stamp: float = 1.0) -> list[str]:
    """Sides of hands that stand side by side, each with its probability of being a right one."""
    hands = [
        landmarks_of(shifted(open_hand(), 0.3 * place - 0.15), CAMERA, right)
        for place, right in enumerate(rights)
    ]
    found = {each.landmarks.right: each for each in (sides or Sides()).assign(hands, stamp)}
    return [found[right].side for right in rights]


def test_each_hand_gets_the_side_that_it_is_said_to_be() -> None:
    assert sides_of(0.9, 0.2) == ["right", "left"]
    assert sides_of(0.7) == ["right"]
    assert sides_of(0.3) == ["left"]


def test_of_two_hands_of_the_same_side_the_less_sure_one_is_the_other() -> None:
    assert sides_of(0.9, 0.6) == ["right", "left"]
    assert sides_of(0.3, 0.1) == ["right", "left"]


def test_a_hand_that_is_followed_keeps_its_side_through_a_wrong_frame() -> None:
    sides = Sides()
    for frame in range(5):
        assert sides_of(0.95, 0.1, sides=sides, stamp=1 + frame / 30) == ["right", "left"]
    assert sides_of(0.35, 0.4, sides=sides, stamp=1.2) == ["right", "left"]


def test_a_wrong_first_frame_is_mended() -> None:
    sides = Sides()
    assert sides_of(0.4, sides=sides, stamp=1.0) == ["left"]
    for frame in range(1, 4):
        sides_of(0.95, sides=sides, stamp=1 + frame / 30)
    assert sides_of(0.9, sides=sides, stamp=1.2) == ["right"]


@pytest.mark.parametrize("later", [60.0, -60.0], ids=["after a gap", "after a clock that jumps"])
def test_the_past_is_forgotten(later: float) -> None:
    sides = Sides()
    for frame in range(5):
        sides_of(0.95, sides=sides, stamp=100 + frame / 30)
    assert sides_of(0.4, sides=sides, stamp=100 + later) == ["left"]


def test_two_findings_of_one_hand_are_one_hand() -> None:
    twice = [landmarks_of(shifted(open_hand(), x), CAMERA, r) for x, r in ((0, 0.6), (0.004, 0.9))]
    (only,) = Sides().assign(twice, 1.0)
    assert (only.side, only.confidence) == ("right", 0.9)


def test_more_than_two_hands_are_the_two_surest() -> None:
    hands = [
        landmarks_of(shifted(open_hand(), x), CAMERA, r)
        for x, r in ((-0.2, 0.55), (0.0, 0.95), (0.2, 0.1))
    ]
    assert {each.landmarks.right for each in Sides().assign(hands, 1.0)} == {0.95, 0.1}


def test_a_detector_gives_both_hands_with_their_confidence() -> None:
    pair = [
        landmarks_of(shifted(open_hand(), x), CAMERA, r) for x, r in ((-0.15, 0.2), (0.15, 0.9))
    ]
    detector = HandDetector(lambda image, stamp: pair)
    hands = detector.detect(np.zeros((480, 640, 3), np.uint8), CAMERA)
    assert {side: round(hand.confidence, 3) for side, hand in hands.items()} == {
        "left": 0.8,
        "right": 0.9,
    }
    for hand, landmarks in zip((hands["left"], hands["right"]), pair, strict=True):
        assert np.allclose(hand.keypoints_px, landmarks.pixels, atol=1e-3)
    assert hands["left"].keypoints[:, 0].mean() < 0 < hands["right"].keypoints[:, 0].mean()


def test_only_stamped_images_belong_together() -> None:
    rights = iter((0.95, 0.95, 0.95, 0.4, 0.4))

    def find(image: np.ndarray, stamp: float | None) -> list[Landmarks]:
        return [landmarks_of(open_hand(), CAMERA, next(rights))]

    detector, picture = HandDetector(find), np.zeros((480, 640, 3), np.uint8)
    for stamp in (1.0, 1.1, 1.2):
        assert detector.detect(picture, CAMERA, stamp=stamp)["right"]
    assert detector.detect(picture, CAMERA)["left"]
    assert detector.detect(picture, CAMERA, stamp=1.3)["right"]


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
    pair = [landmarks_of(hand, CAMERA, right) for hand, right in zip(joints, (0, 1), strict=True)]
    picture = np.zeros((480, 640, 3), np.uint8)

    def ratio(depth: np.ndarray | None) -> float:
        hands = HandDetector(lambda *_: pair).detect(picture, CAMERA, depth)
        return hands["left"].keypoints[:, 2].mean() / hands["right"].keypoints[:, 2].mean()

    assert ratio(None) > 0.9
    depths = [depth_image(hand, CAMERA) for hand in joints]
    assert ratio(np.where(depths[0] > 0, *depths)) == pytest.approx(0.8, abs=0.01)


def test_without_hands_there_are_none() -> None:
    detector = HandDetector(lambda image, stamp: [])
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

    def find(image: np.ndarray, stamp: float | None) -> list[Landmarks]:
        seen.append(image.copy())
        return [plain]

    hands = HandDetector(find).detect(ramp, camera, mirrored=True)
    assert np.array_equal(seen[0], ramp[:, ::-1])
    mirrored = plain.pixels * (-1, 1) + (639, 0)
    assert np.allclose(hands["right"].keypoints_px, mirrored, atol=1e-3)
    assert np.allclose(hands["right"].keypoints, lift(plain, camera), atol=1e-5)


def test_a_mirrored_picture_s_depth_is_read_where_the_hand_is_in_it() -> None:
    joints = open_hand(0.62)
    camera = Camera(640, 480, 560.0, 560.0, 319.5, 239.5)
    depth = depth_image(joints, camera)[:, ::-1]
    plain = landmarks_of(joints, camera)
    detector = HandDetector(lambda image, stamp: [plain])
    picture = np.zeros((480, 640, 3), np.uint8)
    hands = detector.detect(picture, camera, depth, mirrored=True)
    assert np.abs(fingers(hands["right"].keypoints) - fingers(joints)).max() < 0.004
