"""Two hands over time: which is which, what is lost, what comes back."""

from __future__ import annotations

import numpy as np
import pytest
from two_hands import joints

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.tracking.association import exchange
from im2hands_ros.tracking.following import SIDE_PATIENCE, HandFollower

RATE = 30.0
Given = dict[str, np.ndarray]


def both(shift: float = 0.0) -> Given:
    """The hands beside each other, each moved towards the other one's place."""
    return {"left": joints("left", 0.13 - shift), "right": joints("right", 0.13 - shift)}


class Stream:
    """Frames at 30 Hz through a follower."""

    def __init__(self, max_gap: float = 0.3) -> None:
        self.follower, self.max_gap, self.frame = HandFollower(), max_gap, 0

    def __call__(self, given: Given, swapped: bool = False, frames: int = 1) -> EstimatedJoints:
        """The last of so many equal frames; ``swapped``: the image calls left what is right."""
        for _ in range(frames):
            begun = self.follower.expect(given, 1.0 + self.frame / RATE, self.max_gap)
            seen = exchange(begun) if swapped else begun
            found = EstimatedJoints.as_given(HandPair(**seen))
            estimate = self.follower.settle(
                EstimatedJoints(found.joints, found.confidence, swapped=swapped)
            )
            self.frame += 1
        return estimate


def lies_at(estimate: EstimatedJoints, side: str, xyz: np.ndarray) -> bool:
    return bool(np.linalg.norm(estimate.joints[side] - xyz, axis=1).mean() < 0.01)


def test_a_moment_s_confusion_of_the_sides_changes_nothing():
    stream = Stream()
    stream(both(), frames=5)
    for _ in range(3):
        estimate = stream(exchange(both()), frames=SIDE_PATIENCE - 1)
        assert lies_at(estimate, "left", joints("left")) and not estimate.swapped
        stream(both())


def test_sides_change_when_the_tracker_insists():
    stream = Stream()
    stream(both(), frames=5)
    estimate = stream(exchange(both()), frames=SIDE_PATIENCE)
    assert lies_at(estimate, "left", joints("right")) and len(estimate.joints.present) == 2
    assert lies_at(stream(exchange(both())), "right", joints("left"))


def test_one_hand_s_side_is_as_slow_to_change():
    stream = Stream()
    stream({"left": joints("left")}, frames=5)
    estimate = stream({"right": joints("left")}, frames=SIDE_PATIENCE - 1)
    assert list(estimate.joints.present) == ["left"]
    assert list(stream({"right": joints("left")}).joints.present) == ["right"]


def test_a_hand_elsewhere_is_another_hand():
    stream = Stream(max_gap=0.0)
    stream({"left": joints("left")}, frames=5)
    assert list(stream({"right": joints("right")}).joints.present) == ["right"]
    assert list(stream(both()).joints.present) == ["left", "right"]


def test_the_image_decides_the_sides_at_once_in_the_beginning_and_later_with_patience():
    stream = Stream()
    estimate = stream(exchange(both()), swapped=True)
    assert lies_at(estimate, "left", joints("left")) and estimate.swapped
    estimate = stream(exchange(both()), frames=20)  # the image agrees from now on
    assert lies_at(estimate, "left", joints("left")) and estimate.swapped
    estimate = stream(exchange(both()), swapped=True, frames=SIDE_PATIENCE - 1)
    assert lies_at(estimate, "left", joints("left"))


def test_a_tracker_that_finds_its_sides_again_is_believed():
    stream = Stream()
    stream(exchange(both()), swapped=True)
    stream(exchange(both()), frames=5)
    estimate = stream(both(), frames=2 * SIDE_PATIENCE)
    assert lies_at(estimate, "left", joints("left")) and not estimate.swapped


@pytest.mark.parametrize("max_gap", [0.0, 0.2])
def test_a_lost_hand_is_carried_on_no_longer_than_wanted(max_gap):
    stream = Stream(max_gap)
    stream(both(), frames=10)
    shares, ages = [], []
    for _ in range(10):
        estimate = stream({"right": joints("right")})
        if "left" not in estimate.joints.present:
            break
        shares.append(estimate.confidence["left"])
        ages.append(stream.follower.ages["left"])
    assert len(ages) == round(max_gap * RATE) or len(ages) == round(max_gap * RATE) - 1
    assert np.all(np.diff([1.0, *shares]) < 0) and np.all(np.diff([0.0, *ages]) > 0)
    assert estimate.confidence["right"] == 1.0 and stream.follower.ages["right"] == 0.0


def test_a_lost_hand_moves_on_and_is_not_frozen():
    stream = Stream()
    for frame in range(15):
        moved = {"right": joints("right") + np.float32([0.02 * frame, 0, 0])}
        before = stream(moved).joints["right"]
    first, second = (stream({}).joints["right"] for _ in range(2))
    steps = (first - before)[:, 0].mean(), (second - first)[:, 0].mean()
    assert 0.005 < steps[1] < steps[0] < 0.021


def test_both_hands_lost_and_back_are_where_they_are_seen():
    stream = Stream()
    stream(both(), frames=30)
    assert not stream({}, frames=15).joints.present  # half a second
    estimate = stream(both(0.05))
    assert lies_at(estimate, "left", joints("left", 0.08))


def test_a_glitch_of_a_frame_is_left_out_and_a_jump_is_followed():
    stream = Stream()
    stream(both(), frames=10)
    away = {"left": joints("left") + np.float32([0, 0, 0.4]), "right": joints("right")}
    estimate = stream(away)
    assert lies_at(estimate, "left", joints("left")) and stream.follower.ages["left"] > 0
    assert estimate.confidence["left"] < 1.0
    stream(both())
    assert stream.follower.ages["left"] == 0
    estimate = stream(away, frames=3)
    assert lies_at(estimate, "left", away["left"]) and stream.follower.ages["left"] == 0


def test_a_stamp_that_does_not_advance_starts_afresh():
    stream = Stream()
    stream(both(), frames=10)
    stream.frame -= 5
    estimate = stream(both(0.1))
    assert lies_at(estimate, "left", joints("left", 0.03))


def test_what_is_not_a_number_never_comes_out():
    stream = Stream()
    stream(both(), frames=3)
    flat = {side: np.repeat(xyz[:1], 21, 0) for side, xyz in both().items()}  # no extent at all
    assert all(np.isfinite(xyz).all() for xyz in stream(flat).joints.present.values())
    assert all(np.isfinite(xyz).all() for xyz in stream(both()).joints.present.values())
