"""What is unlikely about a frame is said, with the kind of it, and what is likely is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from two_hands import CAMERA, joints, picture

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import ORDER_INTERHAND, SIDES, to_mano_order
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.tracking.plausibility import Plausibility, unlikely_inputs
from im2hands_ros.tracking.unlikely_hands import unlikely_depth

IMAGE = picture()
BOTH = {side: joints(side) for side in SIDES}


def bent(side: str) -> np.ndarray:
    """The open hand with fingers that bend far towards the palm."""
    xyz = joints(side)
    for finger in range(1, 5):
        for level in range(1, 4):
            xyz[1 + 4 * finger + level, 2] += 0.012 * level**1.5
    return xyz


def flat(side: str) -> np.ndarray:
    """The open hand, all of it as far away as its wrist."""
    xyz = joints(side)
    xyz[:, 2] = xyz[0, 2]
    return xyz


def fist_of_knuckles(side: str) -> np.ndarray:
    """Fingers whose other joints a tracker fills with the first."""
    xyz = joints(side)
    xyz[1:] = np.repeat(xyz[1::4], 4, axis=0)
    return xyz


def lost_tip(side: str) -> np.ndarray:
    xyz = joints(side)
    xyz[8] += np.float32([0.15, 0, 0])
    return xyz


def scene(confidence: float, swapped: bool = False) -> SimpleNamespace:
    return SimpleNamespace(confidence=dict.fromkeys(SIDES, confidence), swapped=swapped)


def depth_of(metres: float) -> np.ndarray:
    return np.full((CAMERA.height, CAMERA.width), metres, np.float32)


def kinds(hands: dict = BOTH, camera: Camera = CAMERA, image: np.ndarray = IMAGE) -> dict[str, str]:
    return dict(unlikely_inputs(image, camera, hands))


def interhand_as_mano(side: str) -> np.ndarray:
    mano = joints(side)
    sent = np.empty_like(mano)
    sent[to_mano_order(np.arange(63).reshape(21, 3), ORDER_INTERHAND)[:, 0] // 3] = mano
    return sent


def mano_file_order(side: str) -> np.ndarray:
    wrist, fingers = joints(side)[:1], joints(side)[1:].reshape(5, 4, 3)
    chains = fingers[[1, 2, 4, 3, 0], :3].reshape(15, 3)
    return np.concatenate([wrist, chains, fingers[:, 3]])


def test_a_likely_frame_gives_no_warning():
    assert kinds() == {}
    assert kinds({side: bent(side) for side in SIDES}) == {}
    tests = Plausibility()
    for _ in range(40):
        assert tests.check(IMAGE, CAMERA, BOTH, scene(0.8)) == ()


UNLIKELY = {
    "outside_image": ({"hands": {"left": joints("left", x=0.6)}}, "21 of 21 keypoints"),
    "tiny_hand": ({"hands": {"left": joints("left", x=0, depth=6.0)}}, "6.0 m"),
    "same_place": ({"hands": {"left": bent("left"), "right": bent("left")}}, "0 mm apart"),
    "palm_length": ({"hands": {"left": 2.0 * joints("left")}}, "190 mm"),
    "joint_order": ({"hands": {"left": interhand_as_mano("left")}}, "ORDER_INTERHAND"),
    "chirality": ({"hands": {"left": bent("left") * np.float32([1, -1, 1])}}, "negate y"),
    "camera_centre": ({"camera": replace(CAMERA, cx=0.0, cy=0.0)}, "calibrate"),
    "camera_focal": ({"camera": replace(CAMERA, fx=3.6, fy=3.6)}, "3.6 px"),
    "camera_aspect": ({"camera": replace(CAMERA, fx=2 * CAMERA.fx)}, "600 and 300 px"),
    "camera_lens": (
        {"camera": replace(CAMERA, distortion_model="equidistant", distortion=(0.0,) * 4)},
        "equidistant with coefficients of zero",
    ),
    "flat_hand": ({"hands": {"left": flat("left")}}, "have the depth 0.500 m"),
    "coincident_joints": ({"hands": {"left": fist_of_knuckles("left")}}, "15 joints of the left"),
    "bone_length": ({"hands": {"left": lost_tip("left")}}, "index_tip of the left hand is 1"),
    "blank_image": ({"image": np.full_like(IMAGE, 255)}, "one brightness, 255 of 255"),
    "dark_image": ({"image": IMAGE // 64}, "10 or 12 bits in 16"),
}


@pytest.mark.parametrize("kind", UNLIKELY)
def test_what_is_unlikely_is_named_with_its_likely_cause(kind):
    change, said = UNLIKELY[kind]
    assert said in kinds(**change)[kind]


def test_fingers_in_one_place_and_one_from_its_tip_on_are_named():
    hand = bent("left")
    hand[17:21] = hand[1:5]
    assert (
        "thumb_tip and pinky_tip of the left hand lie in one"
        in kinds({"left": hand})["coincident_joints"]
    )
    hand = joints("left").copy()
    hand[5:9] = hand[5:9][::-1].copy()
    assert "mm from the wrist, a hand's at most 140" in kinds({"left": hand})["bone_length"]


@pytest.mark.parametrize(
    ("length_mm", "is_said"), [(30, True), (49, True), (52, False), (138, False), (145, True)]
)
def test_a_palm_is_50_to_140_mm_long(length_mm, is_said):
    hand = 1e-3 * length_mm / 0.095 * (joints("left") - [0, 0, 0.5]) + [0, 0, 0.5]
    hand[9] = hand[0] + [0, -1e-3 * length_mm, 0]
    assert ("palm_length" in kinds({"left": hand})) == is_said


@pytest.mark.parametrize(("inside", "is_said"), [(4, True), (10, True), (11, False), (21, False)])
def test_a_hand_is_outside_when_most_of_its_joints_are(inside, is_said):
    hand = joints("left", x=0.0)
    across = np.linspace(100, 180, 21)[np.argsort(np.argsort(CAMERA.project(hand)[:, 0]))]
    if inside < 21:  # the picture's edge lies between two joints
        across += CAMERA.width - 0.5 - np.sort(across)[inside - 1 : inside + 1].mean()
    hand[:, 0] = (across - CAMERA.cx) / CAMERA.fx * hand[:, 2]
    assert ("outside_image" in kinds({"left": hand})) == is_said


@pytest.mark.parametrize(("width_px", "is_said"), [(3, True), (18, True), (24, False)])
def test_a_hand_of_a_few_pixels_is_named(width_px, is_said):
    hand = joints("left", x=0.0, depth=0.0)
    hand[:, 2] += CAMERA.fx * np.linalg.norm(np.ptp(hand[:, :2], axis=0)) / width_px
    found = kinds({"left": hand})
    assert ("tiny_hand" in found) == is_said
    assert not is_said or f"{width_px} px across" in found["tiny_hand"]


@pytest.mark.parametrize(("axis", "name"), [(0, "x"), (1, "y"), (2, "depth")])
def test_a_column_of_joints_that_holds_one_value_is_named(axis, name):
    hand = bent("left")
    hand[:, axis] = hand[0, axis]
    assert f"have the {name} {hand[0, axis]:.3f} m" in kinds({"left": hand})["flat_hand"]


def test_the_k_of_a_picture_of_twice_the_size_is_named_with_that_size():
    twice = replace(CAMERA, fx=600.0, fy=600.0, cx=319.5, cy=239.5)
    assert (
        "as of a 639x479 one: give the K of this picture's size"
        in kinds(camera=twice)["camera_centre"]
    )


def test_the_order_of_manos_files_is_recognised_and_a_right_one_never_doubted():
    assert "MANO's model files" in kinds({"right": mano_file_order("right")})["joint_order"]
    noise = np.random.default_rng(0)
    for _ in range(100):
        noisy = joints("right") + noise.normal(scale=0.008, size=(21, 3)).astype(np.float32)
        assert "joint_order" not in kinds({"right": noisy})


def test_low_confidence_is_a_warning_only_when_it_lasts():
    tests = Plausibility()
    runs = [tests.check(IMAGE, CAMERA, BOTH, scene(0.2 + 0.3 * (i % 3 == 0))) for i in range(30)]
    assert runs[:29] == [()] * 29
    ((kind, text),) = runs[29]
    assert kind == "low_confidence" and "mean confidence of 0.30 over 30 frames" in text
    runs = [tests.check(IMAGE, CAMERA, BOTH, scene(0.9)) for _ in range(30)]
    assert runs[-1] == ()
    assert tests.check(IMAGE, CAMERA, BOTH, scene(0.2)) == ()


def test_what_holds_for_both_hands_names_both_in_one_line():
    tests = Plausibility()
    runs = [dict(tests.check(IMAGE, CAMERA, BOTH, scene(0.15))) for _ in range(10)]
    text = runs[9]["low_confidence"]
    assert text.startswith("the left hand has had") and "; the right hand has had" in text


def test_very_low_confidence_is_a_warning_after_ten_frames():
    tests = Plausibility()
    runs = [dict(tests.check(IMAGE, CAMERA, BOTH, scene(0.15))) for _ in range(10)]
    assert runs[:9] == [{}] * 9
    assert "mean confidence of 0.15 over 10 frames" in runs[9]["low_confidence"]
    tests = Plausibility()
    assert all(tests.check(IMAGE, CAMERA, BOTH, scene(0.25)) == () for _ in range(29))


@pytest.mark.parametrize(("other", "named"), [(0.25, True), (0.3, False)])
def test_a_hand_of_little_confidence_is_named_beside_one_of_hardly_any(other, named):
    tests = Plausibility()
    confidence = SimpleNamespace(confidence={"left": 0.15, "right": other}, swapped=False)
    runs = [dict(tests.check(IMAGE, CAMERA, BOTH, confidence)) for _ in range(10)]
    assert ("the right hand has had" in runs[9]["low_confidence"]) == named


@pytest.mark.parametrize("side", SIDES)
def test_the_side_of_a_nearly_straight_hand_is_seen_in_the_mean_of_ten_frames(side):
    """Its fingers bend by 9 mm, and every joint is off by 4 mm in every frame."""
    other = "right" if side == "left" else "left"
    for given, kinds_found in ((joints(side), set()), (joints(side) * [-1, 1, 1], {"chirality"})):
        noise, tests = np.random.default_rng(0), Plausibility()
        for _ in range(10):
            hands = {side: given + noise.normal(scale=0.004, size=(21, 3))}
            found = dict(tests.check(IMAGE, CAMERA, hands, None))
        assert found.keys() == kinds_found
        assert all(f"bend as a {other} one's" in text for text in found.values())


def test_hands_of_other_people_are_never_taken_for_the_other_side():
    for seed in (71, 72, 73):
        motion = draw_motion(2.0, seed)
        noise, tests = np.random.default_rng(seed), Plausibility()
        for frame in range(len(motion)):
            hands = {
                side: track[frame] + noise.normal(scale=0.008, size=(21, 3))
                for side, track in motion.keypoints.items()
            }
            found = dict(tests.check(IMAGE, motion.camera, hands, None))
            assert "chirality" not in found


def test_one_frame_of_fingers_that_bend_the_other_way_is_noise():
    tests = Plausibility()
    other = {"left": bent("right") - np.float32([0.26, 0, 0])}
    found = [dict(tests.check(IMAGE, CAMERA, other, None)) for _ in range(10)]
    assert all("chirality" not in each for each in found[:9]) and "chirality" in found[9]


def test_swapped_sides_a_mirrored_axis_and_a_wrong_order_are_told_apart():
    tests = Plausibility()
    assert dict(tests.check(IMAGE, CAMERA, BOTH, scene(0.8, swapped=True))).keys() == {"swapped"}
    found = dict(Plausibility().check(IMAGE, CAMERA, BOTH, scene(0.1, swapped=True)))
    assert found.keys() == {"mirrored_axis"} and "negate y" in found["mirrored_axis"]
    order = {side: interhand_as_mano(side) for side in SIDES}
    found = dict(tests.check(IMAGE, CAMERA, order, scene(0.8, swapped=True)))
    assert found.keys() == {"joint_order"}


def test_a_mirrored_axis_stays_one_where_hands_lie_on_the_image_s_by_chance():
    tests = Plausibility()
    kinds = [
        set(dict(tests.check(IMAGE, CAMERA, BOTH, scene(confidence, swapped=True))))
        for confidence in (0.2, 0.2, 0.8, 0.2)
    ]
    assert kinds == [{"mirrored_axis"}] * 4
    tests.check(IMAGE, CAMERA, BOTH, scene(0.9))
    assert dict(tests.check(IMAGE, CAMERA, BOTH, scene(0.8, swapped=True))).keys() == {"swapped"}


@pytest.mark.parametrize(
    ("metres", "kind"), [(0.5, None), (0.52, None), (62.5, "depth_far"), (0.0, "depth_unknown")]
)
def test_a_depth_image_that_does_not_show_the_hands_is_said_when_it_lasts(metres, kind):
    tests = Plausibility()
    found = [dict(tests.check(IMAGE, CAMERA, BOTH, None, depth_of(metres))) for _ in range(10)]
    assert all(not each for each in found[:9])
    assert found[9].keys() == ({kind} if kind else set())


def test_a_depth_image_that_is_far_in_some_pixels_is_likely():
    depth = depth_of(0.5)
    depth[:, ::3] = 4.0  # the wall between the fingers
    assert not dict(unlikely_depth(CAMERA, BOTH, depth))
