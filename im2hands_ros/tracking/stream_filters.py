"""What is done to a stream's joints over time: hands are followed, and smoothed on top of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.following import HandFollower
from im2hands_ros.tracking.interfaces import Joints
from im2hands_ros.tracking.one_euro import OneEuro
from im2hands_ros.tracking.settings import FrameSettings


class StreamFilters:
    """The filters of one stream by the settings of the moment. For one thread.

    For each frame `expect` with the tracker's joints, then `settle` with what came of them.

    Args:
        lengths: of the person's bones, as `HandFollower` takes them.

    Attributes:
        ages: of the sides of the last frame, seconds since each hand was seen.
    """

    def __init__(self, lengths: NDArray[np.float64] | None = None) -> None:
        self._lengths = lengths
        self._follower: HandFollower | None = None
        self._smoothers = {side: OneEuro() for side in SIDES}
        self._stamp, self._cutoff = 0.0, 0.0
        self.ages: Mapping[str, float] = {}

    def expect(
        self, given: Mapping[str, Joints], stamp: float, settings: FrameSettings
    ) -> dict[str, Joints]:
        """The joints to begin a frame with: those given, and of hands that are carried on.

        Args:
            given: (21, 3) by side.
            stamp: of the frame, seconds.
        """
        self._stamp, self._cutoff = stamp, settings.smoothing
        if not settings.tracking:
            self._follower, self.ages = None, dict.fromkeys(given, 0.0)
            return self._smooth(given)
        self._follower = self._follower or HandFollower(self._lengths)
        joints = self._follower.expect(given, stamp, settings.max_gap)
        for side in SIDES:
            if side not in joints:
                self._smoothers[side].reset()
        return joints

    def settle(self, estimate: EstimatedJoints, before_fit: bool = False) -> EstimatedJoints:
        """The joints that the shapes are made from, of those refined or as `expect` gave them.

        before_fit: they will be fitted to a depth image first; `fit` comes next.
        """
        if self._follower is None:
            return estimate
        estimate = self._follower.settle(estimate)
        self.ages = self._follower.ages
        return estimate if before_fit else self._smoothed(self._follower.carry(estimate))

    def fit(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """The same, of what a depth image made of the joints that `settle` returned."""
        return self._smoothed(self._follower.fit(estimate)) if self._follower else estimate

    def _smoothed(self, estimate: EstimatedJoints) -> EstimatedJoints:
        return replace(estimate, joints=HandPair(**self._smooth(estimate.joints.present)))

    def _smooth(self, joints: Mapping[str, Joints]) -> dict[str, Joints]:
        """Filter over time; a hand that is absent is new when it comes back."""
        smoothed = dict(joints)
        for side, smoother in self._smoothers.items():
            if side not in joints or not self._cutoff:
                smoother.reset()
            else:
                smoothed[side] = smoother(joints[side], self._stamp, self._cutoff)
        return smoothed
