"""What looks at the picture contradict is said with thing, value and remedy; the rest is not.

What is seen is made up here; test_picture_looks has the real network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
from two_hands import CAMERA, joints, picture

from im2hands_ros.networks.compact.landmark_encoder import SeenHand
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.picture_evidence import contradicted_once
from im2hands_ros.tracking.plausibility import Plausibility

IMAGE = picture()
BOTH = {side: joints(side) for side in SIDES}
FEW, LONG = 24, 600  # frames in which four looks at each hand have come, and many
Seen = Callable[[str, np.ndarray], SeenHand]


def seen_as(
    presence: float = 0.99,
    own_side: float = 0.95,
    move: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
) -> Seen:
    """A hand at the keypoints' pixels, moved."""

    def see(side: str, pixels: np.ndarray) -> SeenHand:
        right = own_side if side == "right" else 1 - own_side
        return SeenHand(move(pixels), np.zeros(21), np.zeros((21, 3)), presence, right)

    return see


class Eyepiece:
    """What `Plausibility` looks through: shows what it is told to, and counts the looks."""

    def __init__(self, see: Seen) -> None:
        self.see, self.looks = see, 0

    def __call__(self, image: np.ndarray, pixels: Mapping[str, np.ndarray]) -> dict[str, SeenHand]:
        self.looks += len(pixels)
        return {side: self.see(side, each) for side, each in pixels.items()}


def scene(swapped: bool = False, confidence: float = 0.8) -> SimpleNamespace:
    return SimpleNamespace(confidence=dict.fromkeys(SIDES, confidence), swapped=swapped)


def said(
    see: Seen, frames: int = FEW, swapped: bool = False, hands: Mapping[str, np.ndarray] = BOTH
) -> dict[str, str]:
    """Kinds and texts of the last of so many frames."""
    tests = Plausibility(Eyepiece(see))
    return dict([tests.check(IMAGE, CAMERA, hands, scene(swapped)) for _ in range(frames)][-1])


def turned(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Around their middle, clockwise as the picture shows them."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (pixels - pixels.mean(0)) @ np.array([[cos, sin], [-sin, cos]]) + pixels.mean(0)


CONTRADICTED = {
    "picture_empty": (seen_as(presence=0.05), "presence of 0.05: check K"),
    "picture_offset": (
        seen_as(move=lambda pixels: pixels + (40.0, 0.0)),
        "40 px beside the keypoints",
    ),
    "picture_shape": (
        seen_as(move=lambda pixels: np.roll(pixels, 7, axis=0)),
        "of the size beside",
    ),
    "picture_turned": (
        seen_as(move=lambda pixels: turned(pixels, 20.0)),
        "turned by 20 degrees clockwise from the keypoints",
    ),
    "picture_side": (seen_as(own_side=0.02), "left and right hand lie, with a probability of 0.98"),
}


@pytest.mark.parametrize("kind", CONTRADICTED)
def test_what_the_picture_contradicts_is_said_after_a_few_looks_and_goes_on(kind):
    see, text = CONTRADICTED[kind]
    found = said(see)
    assert found.keys() == {kind} and text in found[kind]
    assert said(see, LONG).keys() == {kind}


@pytest.mark.parametrize(("pixels", "named"), [(0.0, False), (18.0, True)])
def test_the_other_hand_is_named_too_unless_it_is_surely_where_its_joints_are(pixels, named):
    def see(side: str, given: np.ndarray) -> SeenHand:
        beside = (40.0 if side == "left" else pixels, 0.0)
        return seen_as(move=lambda each: each + beside)(side, given)

    text = said(see)["picture_offset"]
    assert "the left hand 40 px beside" in text
    assert ("nor does it confirm the right hand" in text) == named
    assert named or "right" not in text


def test_a_hand_that_is_seen_larger_is_said_with_how_much():
    found = said(seen_as(move=lambda p: p.mean(0) + 1.7 * (p - p.mean(0))))
    assert "1.70 times as large: check K and its focal length" in found["picture_offset"]


@pytest.mark.parametrize("degrees", [-12.0, 12.0])
def test_a_hand_that_is_seen_turned_a_little_is_where_it_should_be(degrees):
    assert said(seen_as(move=lambda pixels: turned(pixels, degrees)), LONG) == {}


def test_keypoints_that_lag_behind_a_hand_that_goes_to_and_fro_are_said():
    lags = np.resize([40.0, 40.0, -40.0, -40.0], 100).tolist()
    found = said(seen_as(move=lambda pixels: pixels + (lags.pop(), 0.0)))
    assert "check K and its focal length, the stamps" in found["picture_offset"]


def test_hands_where_the_picture_has_them_give_no_warning():
    noise = np.random.default_rng(0)
    assert said(seen_as(move=lambda p: p + noise.normal(scale=4.0, size=p.shape)), LONG) == {}


def test_a_hand_of_little_presence_whose_landmarks_fit_is_there():
    assert said(seen_as(presence=0.2), LONG) == {}
    found = said(seen_as(presence=0.2, move=lambda pixels: pixels + (20.0, 0.0)))
    assert found.keys() == {"picture_empty"}


def test_one_odd_look_is_no_evidence():
    eyepiece = Eyepiece(seen_as())
    tests = Plausibility(eyepiece)
    for number in range(LONG):
        eyepiece.see = seen_as(presence=0.05 if eyepiece.looks == 12 else 0.99)
        assert tests.check(IMAGE, CAMERA, BOTH, scene()) == (), number


def test_one_hand_taken_for_the_other_is_no_evidence_against_a_pair():
    def see(side: str, pixels: np.ndarray) -> SeenHand:
        return seen_as(own_side=0.02 if side == "left" else 0.9)(side, pixels)

    assert said(see, LONG) == {}
    assert said(seen_as(own_side=0.06), hands={"left": BOTH["left"]}) == {}
    assert said(seen_as(own_side=0.02), hands={"left": BOTH["left"]}).keys() == {"picture_side"}


def test_looks_are_few_where_nothing_changes_and_come_soon_where_something_does():
    eyepiece = Eyepiece(seen_as())
    tests = Plausibility(eyepiece)
    for _ in range(900):
        tests.check(IMAGE, CAMERA, BOTH, scene())
    assert eyepiece.looks <= 2 * (4 + 2 + 900 / 240)
    eyepiece.see = seen_as(presence=0.05)  # from now on
    kinds = [dict(tests.check(IMAGE, CAMERA, BOTH, scene())) for _ in range(260)]
    assert "picture_empty" in kinds[-1]


CLASPED = {side: joints(side, x=0.01) for side in SIDES}


@pytest.mark.parametrize(
    ("see", "text"),
    [
        (seen_as(presence=0.05), "at the keypoints of the hands, clasped, with a presence of 0.05"),
        (seen_as(move=lambda p: p.mean(0) + 1.3 * (p - p.mean(0))), "1.30 times as large"),
    ],
)
def test_clasped_hands_are_judged_together(see, text):
    found = said(see, hands=CLASPED)
    assert len(found) == 1 and text in next(iter(found.values()))


def test_of_clasped_hands_neither_the_side_nor_a_hidden_hand_is_evidence():
    def see(side: str, pixels: np.ndarray) -> SeenHand:
        return seen_as(presence=0.1 if side == "left" else 0.9, own_side=0.02)(side, pixels)

    assert said(see, LONG, hands=CLASPED) == {}


def test_hands_outside_the_picture_are_not_looked_at():
    eyepiece = Eyepiece(seen_as(presence=0.0))
    tests = Plausibility(eyepiece)
    for _ in range(FEW):
        tests.check(IMAGE, CAMERA, {"left": joints("left", x=0.4)}, scene())
    assert eyepiece.looks == 0


@pytest.mark.parametrize(
    ("see", "kind"),
    [
        (seen_as(own_side=0.2), "swapped"),
        (seen_as(own_side=0.9), "mirrored_depth"),
        (seen_as(presence=0.05), "mirrored_axis"),
    ],
)
def test_swapped_sides_a_mirrored_axis_and_mirrored_depths_are_told_apart_by_the_picture(see, kind):
    found = said(see, swapped=True)
    assert kind in found and found.keys() <= {kind, "picture_empty"}


@pytest.mark.parametrize(("presence", "kind"), [(0.9, "swapped"), (0.05, "mirrored_axis")])
@pytest.mark.parametrize("confidence", [0.41, 0.43])
def test_the_picture_decides_in_the_first_frame_whatever_the_confidence(presence, kind, confidence):
    tests = Plausibility(Eyepiece(seen_as(presence=presence, own_side=0.3)))
    assert kind in dict(tests.check(IMAGE, CAMERA, BOTH, scene(True, confidence)))


def test_sides_that_are_swapped_in_the_middle_of_a_stream_are_looked_at_anew():
    eyepiece = Eyepiece(seen_as(own_side=0.95))
    tests = Plausibility(eyepiece)
    for _ in range(100):
        assert tests.check(IMAGE, CAMERA, BOTH, scene()) == ()
    eyepiece.see = seen_as(own_side=0.1)
    assert dict(tests.check(IMAGE, CAMERA, BOTH, scene(swapped=True))).keys() == {"swapped"}


def test_a_single_picture_is_contradicted_only_plainly():
    def kinds(see: Seen) -> list[str]:
        return [kind for kind, _ in contradicted_once(Eyepiece(see), IMAGE, CAMERA, BOTH)]

    assert kinds(seen_as(presence=0.3)) == []
    assert kinds(seen_as(presence=0.05)) == ["picture_empty"] * 2
    assert kinds(seen_as(move=lambda pixels: pixels + (60.0, 0.0))) == ["picture_offset"] * 2
