"""Landmarks in a picture to metric keypoints: distances, sides, depth images, mirrored pictures."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.camera import Camera
from im2hands_ros.detection.detector import HandDetector
from im2hands_ros.detection.landmarks import Landmarks, mean_bone_length
from im2hands_ros.detection.lift import PALM_LENGTH, lift
from im2hands_ros.detection.sides import Sides
from im2hands_ros.skeleton import BONES, MIDDLE_MCP, WRIST

CAMERA = Camera(640, 480, 560.0, 540.0, 310.0, 250.0)
FISHEYE = Camera(640, 480, 300.0, 300.0, 320.0, 240.0, "equidistant", (0.05, -0.01, 0.0, 0.0))
SKIN = 0.012
BONE_PER_PALM = 0.366


def open_hand(distance: float = 0.5, aside: float = 0.05, size: float = 1.0) -> np.ndarray:
    """(21, 3) joints of an open hand, its fingers leaning away from the camera."""
    points = np.zeros((21, 3))
    for bone, (parent, child) in enumerate(BONES):
        finger, level = divmod(bone, 4)
        length = size * (0.093 if level == 0 else 0.028)
        angle = 0.3 * (finger - 2)
        points[child] = points[parent] + length * np.array(
            [np.sin(angle), -0.9 * np.cos(angle), 0.4 * np.cos(angle)]
        )
    return points - points.mean(axis=0) + [aside, 0.02, distance]


def landmarks_of(joints: np.ndarray, camera: Camera, right: float = 0.9) -> Landmarks:
    """What a perfect landmarker would say of these joints."""
    depth = joints[:, 2]
    relief = (depth / depth.mean() - 1) * (camera.fx + camera.fy) / 2
    middle = joints - joints.mean(axis=0)
    return Landmarks(camera.project(joints), relief, 0.7 * middle, right)


def fingers(joints: np.ndarray) -> np.ndarray:
    """All but the wrist, which is moved on purpose."""
    return np.delete(joints, WRIST, axis=0)


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE], ids=["pinhole", "fisheye"])
def test_joints_lie_on_the_rays_of_their_landmarks(camera: Camera) -> None:
    joints = open_hand()
    lifted = lift(landmarks_of(joints, camera), camera)
    assert np.allclose(camera.project(fingers(lifted)), camera.project(fingers(joints)), atol=0.05)


def test_the_wrist_moves_away_from_the_fingers() -> None:
    joints = open_hand()
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA)
    scale = lifted[MIDDLE_MCP, 2] / joints[MIDDLE_MCP, 2]
    wanted = joints[WRIST] + 0.05 * (joints[WRIST] - joints[MIDDLE_MCP])
    assert np.allclose(lifted[WRIST], scale * wanted, atol=0.004)


def test_a_hand_has_the_shape_of_what_was_seen() -> None:
    joints = open_hand()
    lifted = fingers(lift(landmarks_of(joints, CAMERA), CAMERA))
    scale = lifted[:, 2].mean() / fingers(joints)[:, 2].mean()
    assert np.allclose(lifted, scale * fingers(joints), atol=0.004)


def test_the_distance_follows_from_the_size_of_the_user_s_hand() -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    usual = lift(landmarks, CAMERA, PALM_LENGTH)
    larger = lift(landmarks, CAMERA, 1.2 * PALM_LENGTH)
    assert np.allclose(larger, 1.2 * usual, rtol=1e-5)
    palm = mean_bone_length(open_hand()) / BONE_PER_PALM
    assert lift(landmarks, CAMERA, palm)[:, 2].mean() == pytest.approx(0.5, rel=0.01)


def test_of_two_hands_the_smaller_one_in_the_picture_is_farther_away() -> None:
    near, far = (lift(landmarks_of(open_hand(z), CAMERA), CAMERA) for z in (0.4, 0.6))
    assert far[:, 2].mean() / near[:, 2].mean() == pytest.approx(1.5, rel=0.02)


def depth_image(joints: np.ndarray, camera: Camera, background: float = 0.0) -> np.ndarray:
    """Skin in a window around each joint, something else everywhere else."""
    depth = np.full((camera.height, camera.width), background, np.float32)
    pixels = np.rint(camera.project(joints)).astype(int)
    for (column, row), z in zip(pixels, joints[:, 2], strict=True):
        depth[row - 3 : row + 4, column - 3 : column + 4] = z - SKIN
    return depth


def test_a_depth_image_overrules_the_size() -> None:
    joints = open_hand(0.62)
    depth = depth_image(joints, CAMERA)
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA, 0.12, depth)
    assert np.abs(fingers(lifted) - fingers(joints)).max() < 0.004


def test_depths_of_other_things_do_not_move_the_hand() -> None:
    joints = open_hand(0.62)
    depth = depth_image(joints, CAMERA)
    behind = CAMERA.project(joints)[[4, 8, 12, 16, 20, 7]]
    for column, row in np.rint(behind).astype(int):
        depth[row - 4 : row + 5, column - 4 : column + 5] = 1.4
    lifted = lift(landmarks_of(joints, CAMERA), CAMERA, depth=depth)
    assert np.abs(fingers(lifted) - fingers(joints)).max() < 0.006


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf])
def test_a_depth_image_that_shows_nothing_changes_nothing(nothing: float) -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    empty = np.full((480, 640), nothing, np.float32)
    assert np.array_equal(lift(landmarks, CAMERA, depth=empty), lift(landmarks, CAMERA))


@pytest.mark.parametrize("distance", [0.02, 9.0])
def test_what_is_too_near_or_too_far_is_no_hand(distance: float) -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    assert lift(landmarks, CAMERA, PALM_LENGTH * distance / 0.5) is None


def test_landmarks_that_are_not_finite_are_no_hand() -> None:
    landmarks = landmarks_of(open_hand(), CAMERA)
    landmarks.pixels[3] = np.nan
    assert lift(landmarks, CAMERA) is None


def shifted(joints: np.ndarray, x: float) -> np.ndarray:
    return joints + [x, 0, 0]


def sides_of(*rights: float, sides: Sides | None = None, seconds: float = 1.0) -> list[str]:
    """Sides of hands that stand side by side, each with its probability of being a right one."""
    hands = [
        landmarks_of(shifted(open_hand(), 0.3 * place - 0.15), CAMERA, right)
        for place, right in enumerate(rights)
    ]
    found = {each.landmarks.right: each for each in (sides or Sides()).assign(hands, seconds)}
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
        assert sides_of(0.95, 0.1, sides=sides, seconds=1 + frame / 30) == ["right", "left"]
    assert sides_of(0.35, 0.4, sides=sides, seconds=1.2) == ["right", "left"]


def test_a_wrong_first_frame_is_mended() -> None:
    sides = Sides()
    assert sides_of(0.4, sides=sides, seconds=1.0) == ["left"]
    for frame in range(1, 4):
        sides_of(0.95, sides=sides, seconds=1 + frame / 30)
    assert sides_of(0.9, sides=sides, seconds=1.2) == ["right"]


@pytest.mark.parametrize("later", [60.0, -60.0], ids=["after a gap", "after a clock that jumps"])
def test_the_past_is_forgotten(later: float) -> None:
    sides = Sides()
    for frame in range(5):
        sides_of(0.95, sides=sides, seconds=100 + frame / 30)
    assert sides_of(0.4, sides=sides, seconds=100 + later) == ["left"]


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
    detector = HandDetector(lambda image, seconds: pair)
    hands = detector.detect(np.zeros((480, 640, 3), np.uint8), 1.0, CAMERA)
    assert {side: round(hand.confidence, 3) for side, hand in hands.items()} == {
        "left": 0.8,
        "right": 0.9,
    }
    assert hands["left"].keypoints[:, 0].mean() < 0 < hands["right"].keypoints[:, 0].mean()


def test_without_hands_there_are_none() -> None:
    detector = HandDetector(lambda image, seconds: [])
    assert detector.detect(np.zeros((480, 640, 3), np.uint8), 1.0, CAMERA) == {}


def test_a_mirrored_picture_gives_the_real_hand() -> None:
    joints = open_hand()
    # The principal point is in the middle, so that one camera fits both pictures.
    camera = Camera(640, 480, CAMERA.fx, CAMERA.fy, 319.5, CAMERA.cy)
    plain = landmarks_of(joints, camera)
    ramp = np.tile(np.arange(640, dtype=np.uint16).astype(np.uint8)[None, :, None], (480, 1, 3))
    seen = []

    def find(image: np.ndarray, seconds: float) -> list[Landmarks]:
        seen.append(image.copy())
        return [plain]

    hands = HandDetector(find).detect(ramp, 1.0, camera, mirrored=True)
    assert np.array_equal(seen[0], ramp[:, ::-1])
    assert np.allclose(hands["right"].keypoints, lift(plain, camera), atol=1e-5)


def test_a_mirrored_picture_s_depth_is_read_where_the_hand_is_in_it() -> None:
    joints = open_hand(0.62)
    camera = Camera(640, 480, 560.0, 560.0, 319.5, 239.5)
    depth = depth_image(joints, camera)[:, ::-1]
    plain = landmarks_of(joints, camera)
    detector = HandDetector(lambda image, seconds: [plain])
    picture = np.zeros((480, 640, 3), np.uint8)
    hands = detector.detect(picture, 1.0, camera, depth=depth, mirrored=True)
    assert np.abs(fingers(hands["right"].keypoints) - fingers(joints)).max() < 0.004
