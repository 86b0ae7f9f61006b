"""Where one cause explains what is seen, no other one is named; neighbours of it are named too."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from two_hands import CAMERA, joints, picture

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.tracking.plausibility import Plausibility, unlikely_inputs

IMAGE = picture()
DEMO = load_demo_sequence()
BOTH = {side: xyz for side, xyz in DEMO.frames[40].keypoints.items() if xyz is not None}


def scene(confidence: float, swapped: bool = False) -> SimpleNamespace:
    return SimpleNamespace(confidence=dict.fromkeys(SIDES, confidence), swapped=swapped)


def kinds(camera=CAMERA, image=IMAGE, hands=None) -> dict[str, str]:
    given = {side: joints(side) for side in SIDES} if hands is None else hands
    return dict(unlikely_inputs(image, camera, given))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_so_many_bits_in_16_are_nearly_black_however_bright_the_scene_is(bits):
    bright = np.maximum(IMAGE, 128) >> (16 - bits)
    found = kinds(image=bright)
    assert "10 or 12 bits in 16" in found["dark_image"]
    assert f"{int(bright.max())} at most" in found["dark_image"]
    assert "dark_image" not in kinds(image=IMAGE >> 2)


SIZES = {  # of the picture that K is of -> the words
    (256, 192): "as of a 255x191 one",
    (400, 300): "as of a 399x299 one",
    (320, 180): "as of a 319x179 one",
    (424, 240): "as of a 423x239 one",
    (640, 480): "as of a 639x479 one",
}


@pytest.mark.parametrize("size", SIZES)
def test_the_k_of_another_resolution_is_named_with_its_size(size):
    cx, cy = (size[0] - 1) / 2, (size[1] - 1) / 2
    scale = size[0] / CAMERA.width
    other = replace(CAMERA, fx=CAMERA.fx * scale, fy=CAMERA.fy * scale, cx=cx, cy=cy)
    found = kinds(other)["camera_centre"]
    assert SIZES[size] in found and "give the K of this picture's size" in found


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.5, 0.5), (-1.0, -1.0), (1.0, 0.0), (160.0, 0.0)])
def test_a_principal_point_that_was_never_measured_asks_for_a_calibration(centre):
    found = kinds(replace(CAMERA, cx=centre[0], cy=centre[1]))["camera_centre"]
    assert found.endswith("picture: calibrate") and "as of a" not in found


@pytest.mark.parametrize("off", [(0.05, 0.0), (-0.06, 0.06)])
def test_a_lens_that_sits_a_little_askew_is_usual(off):
    cx, cy = CAMERA.cx + off[0] * CAMERA.width, CAMERA.cy + off[1] * CAMERA.height
    assert "camera_centre" not in kinds(replace(CAMERA, cx=cx, cy=cy))


@pytest.mark.parametrize("ratio", [1.2, 4 / 3, 16 / 9, 0.75])
def test_a_k_that_was_scaled_in_one_direction_is_named(ratio):
    assert "camera_aspect" in kinds(replace(CAMERA, fx=ratio * CAMERA.fx))
    assert "camera_aspect" not in kinds(replace(CAMERA, fx=1.09 * CAMERA.fx))


COPIES = {
    "exact": np.zeros((21, 3)),
    "beside": np.full((21, 3), [0.012, 0, 0]),
    "jittered": np.random.default_rng(0).normal(scale=0.007, size=(21, 3)),
}


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("side", SIDES)
def test_one_hand_in_both_slots_is_called_that_and_not_exchanged_sides(copy, side):
    other = "right" if side == "left" else "left"
    hands = {side: BOTH[side], other: BOTH[side] + COPIES[copy]}
    tests = Plausibility()
    for _ in range(12):
        found = dict(tests.check(IMAGE, DEMO.camera, hands, scene(0.5, swapped=True)))
        assert "one hand was sent twice" in found["same_place"]
        assert not {"swapped", "mirrored_axis", "chirality"} & found.keys()


def test_clasped_hands_are_two():
    for frame in DEMO.frames:
        assert "same_place" not in kinds(hands=frame.true_keypoints)


def test_two_exchanged_fingers_are_an_order_and_no_mirrored_axis():
    order = [0, *range(1, 5), *range(9, 13), *range(5, 9), *range(13, 21)]
    tests = Plausibility()
    for number in range(12):
        frame = DEMO.frames[number]
        hands = {side: xyz[order] for side, xyz in frame.keypoints.items() if xyz is not None}
        found = dict(tests.check(frame.image, DEMO.camera, hands, scene(0.5, swapped=True)))
    assert "index and middle finger exchanged" in found["joint_order"]
    assert not {"swapped", "mirrored_axis", "chirality", "palm_length"} & found.keys()


CAUSES = {
    "dark_image": {"image": IMAGE // 64},
    "camera_centre": {"camera": replace(CAMERA, cx=0.0, cy=0.0)},
    "outside_image": {"hands": {"left": joints("left", x=0.6)}},
    "tiny_hand": {"hands": {"left": joints("left", x=0, depth=6.0)}},
    "same_place": {"hands": dict.fromkeys(SIDES, joints("left"))},
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_low_confidence_points_to_the_cause_that_is_known(cause):
    given = {"image": IMAGE, "camera": CAMERA, "hands": {side: joints(side) for side in SIDES}}
    given |= CAUSES[cause]
    tests = Plausibility()
    for _ in range(10):
        found = dict(tests.check(*given.values(), scene(0.1)))
    assert cause in found
    text = found["low_confidence"]
    assert text.endswith(f"do not fit together: repair what the line of '{cause}' names first")
    assert "check stamps" not in text


def test_a_low_confidence_without_a_known_cause_lists_the_usual_ones():
    tests = Plausibility()
    hands = {side: joints(side) for side in SIDES}
    for _ in range(10):
        found = dict(tests.check(IMAGE, CAMERA, hands, scene(0.1)))
    assert "check stamps, K, and distance and frame" in found["low_confidence"]
