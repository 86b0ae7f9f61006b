"""Hands under the skin of depth images, over time: with them, between them, and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from two_hands import joints

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.association import exchange
from im2hands_ros.tracking.following import SIDE_PATIENCE, HandFollower

RATE = 30.0
TOO_FAR = np.array([0.0, 0.0, 0.03], np.float32)  # where the tracker has every hand
Hands = dict[str, np.ndarray]


class Stream:
    """Still hands at 30 Hz, of which depth images, where there are some, show the true place."""

    def __init__(self, max_gap: float = 0.3, noise: float = 0.0) -> None:
        self.follower, self.max_gap, self.noise = HandFollower(), max_gap, noise
        self.frame, self.rng = 0, np.random.default_rng(0)

    def __call__(self, true: Hands, frames: int, every: int = 1) -> list[EstimatedJoints]:
        """All frames, a depth image in ``every`` so many of them; 0: in none."""
        return [self._next(true, every) for _ in range(frames)]

    def _next(self, true: Hands, every: int) -> EstimatedJoints:
        given = {side: xyz + TOO_FAR for side, xyz in true.items()}
        begun = self.follower.expect(given, 1.0 + self.frame / RATE, self.max_gap)
        settled = self.follower.settle(EstimatedJoints.as_given(HandPair(**begun)))
        self.frame += 1
        if not every or self.frame % every:
            return self.follower.carry(settled)
        fitted = {
            side: (xyz - TOO_FAR + self.rng.normal(0, self.noise, xyz.shape)).astype(np.float32)
            for side, xyz in settled.joints.present.items()
        }
        return self.follower.fit(replace(settled, joints=HandPair(**fitted), fitted=True))


def off(estimate: EstimatedJoints, side: str = "left", true: np.ndarray | None = None) -> float:
    """Mean distance of a hand's joints from the truth, metres."""
    true = joints(side) if true is None else true
    return float(np.linalg.norm(estimate.joints[side] - true, axis=1).mean())


def both() -> Hands:
    return {side: joints(side) for side in SIDES}


def test_hands_lie_where_depth_images_show_them_from_the_first_on():
    for estimate in Stream()(both(), frames=10):
        assert off(estimate, "left") < 0.001 and off(estimate, "right") < 0.001


def test_what_a_fit_trembles_by_is_filtered():
    stream = Stream(noise=0.005)
    last = stream(both(), frames=60)[-20:]
    assert np.mean([off(each) for each in last]) < 0.004  # of 8 mm that 5 on each axis make


def test_between_two_depth_images_the_last_one_still_holds():
    found = Stream()(both(), frames=40, every=2)
    assert max(off(each) for each in found[2:]) < 0.002


def test_without_depth_images_the_last_one_holds_less_and_less():
    stream = Stream()
    stream(both(), frames=10)
    distances = [off(each) for each in stream(both(), frames=150, every=0)]
    assert distances[2] < 0.004 < distances[30] < distances[90]
    assert abs(distances[-1] - 0.03) < 0.001  # in the end the tracker's own place
    assert max(np.diff(distances)) < 0.003  # nothing jumps


def test_a_stream_without_depth_images_is_as_it_was():
    stream, plain = Stream(), HandFollower()
    for frame, estimate in enumerate(stream(both(), frames=20, every=0)):
        given = {side: xyz + TOO_FAR for side, xyz in both().items()}
        begun = plain.expect(given, 1.0 + frame / RATE, 0.3)
        settled = plain.settle(EstimatedJoints.as_given(HandPair(**begun)))
        assert np.array_equal(settled.joints["left"], estimate.joints["left"])


def test_a_lost_hand_is_carried_on_where_its_skin_was_seen():
    stream = Stream()
    stream(both(), frames=10)
    carried = stream({"right": joints("right")}, frames=5)
    assert all(off(each, "left") < 0.002 for each in carried)
    assert carried[-1].confidence["left"] < carried[0].confidence["left"] < 1


def test_sides_that_change_take_what_was_fitted_with_them():
    stream = Stream()
    stream(both(), frames=10)
    estimate = stream(exchange(both()), frames=SIDE_PATIENCE)[-1]
    assert off(estimate, "left", joints("right")) < 0.002
