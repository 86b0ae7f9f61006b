"""One hand as depth images show it, over time: what a fit to its skin says, filtered.

The tracker's own error of the place lasts for a second or two. Where a frame has no depth image,
the last one's correction still holds, the less the longer ago it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.tracking.association import REACH
from im2hands_ros.tracking.hand_filter import HandFilter, HandMemory
from im2hands_ros.tracking.interfaces import Joints
from im2hands_ros.tracking.kalman import decay

# A correction falls to 1/e in so many seconds, as trackers' errors do, and is forgotten after some.
_PERSISTENCE, _FORGOTTEN = 1.5, 4.5


class FittedHand:
    """Filters the joints of one hand under its observed skin. For one thread.

    Args:
        memory: of the same hand's fits, from before.
    """

    def __init__(self, memory: HandMemory) -> None:
        self._memory = memory
        self._filter: HandFilter | None = None
        self._offset: NDArray[np.float64] = np.zeros(3)
        self._fitted = -np.inf  # when, seconds

    def fit(self, joints: Joints, before: Joints, stamp: float) -> Joints:
        """Take in what a fit made of a frame's joints.

        Args:
            joints: (21, 3) metres, camera frame, under the observed skin.
            before: the same before the fit.
            stamp: of the frame, seconds.
        """
        self._offset = (joints - before).mean(axis=0, dtype=np.float64)
        self._fitted = stamp
        return self._corrected(joints, stamp)

    def carry(self, joints: Joints, stamp: float, seen: bool) -> Joints:
        """Without a fit: (21, 3) joints as the last fits correct them; as they are where none is
        recent.

        Args:
            joints: of this frame.
            stamp: of it, seconds.
            seen: whether the tracker has the hand; else it is where fits let expect it.
        """
        since = stamp - self._fitted
        if self._filter is None or since > _FORGOTTEN:
            self._filter = None
            return joints
        if not seen:
            self._filter.predict(stamp, seen=False)
            return self._filter.joints
        moved = joints + self._offset * decay(since, _PERSISTENCE)
        return self._corrected(moved.astype(np.float32), stamp)

    def _corrected(self, joints: Joints, stamp: float) -> Joints:
        if self._filter is not None:
            self._filter.predict(stamp)
            away = np.linalg.norm(joints.mean(axis=0) - self._filter.centre)
            self._filter = self._filter if away < REACH else None
        if self._filter is None:
            self._memory.pause()
            self._filter = HandFilter(joints, stamp, self._memory)
        self._filter.correct(joints)
        return self._filter.joints
