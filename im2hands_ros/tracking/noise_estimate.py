"""How much a tracker's joints tremble, measured from the stream itself."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_WINDOW = 45  # frames
# A second difference of white noise has sqrt(6) times its deviation, and a median absolute value
# of 0.6745 deviations.
_SECOND_DIFFERENCE = 6**0.5 * 0.6745
_FIRST = np.array([0.004, 0.004, 0.006])  # before anything was measured, metres
_LEAST = 0.0003


class NoiseEstimate:
    """Standard deviations of what is new in every frame, across and along the viewing ray.

    From second differences, in which steady motion is not; medians, so that short accelerations
    and outliers do not count.

    Attributes:
        joints: (21, 3) of every joint's noise of its own, on the axes of the view, metres.
    """

    def __init__(self) -> None:
        self._measured: deque[Array] = deque(maxlen=3)
        self._own: deque[Array] = deque(maxlen=_WINDOW)
        self._common: deque[Array] = deque(maxlen=_WINDOW)
        self.joints = np.broadcast_to(_FIRST, (21, 3))
        self._centre = _FIRST / 21**0.5

    def pause(self) -> None:
        """What comes next does not continue what came before."""
        self._measured.clear()

    def update(self, joints: Array, turned: Array, view: Array) -> None:
        """Take in the (21, 3) joints of a frame."""
        centre = joints.mean(axis=0)
        own = (joints - centre) @ turned
        self._measured.append(np.concatenate([centre[None], own]))
        if len(self._measured) < 3:
            return
        a, b, c = self._measured
        second = a - 2 * b + c
        self._own.append(np.median(np.abs(second[1:] @ turned.T @ view), axis=0))
        self._common.append(np.abs(second[0] @ view))
        if len(self._own) >= 5:
            own_noise = np.median(np.array(self._own), axis=0) / _SECOND_DIFFERENCE
            own_noise[:2] = own_noise[:2].mean()
            own_noise = np.maximum(own_noise, _LEAST)
            common = np.median(np.array(self._common), axis=0) / _SECOND_DIFFERENCE
            common[:2] = common[:2].mean()
            self.joints = np.broadcast_to(own_noise, (21, 3))
            self._centre = np.maximum(common, own_noise / 21**0.5)

    def whole(self, weights: Array, places: Array) -> tuple[Array, Array]:
        """Deviations of the centre (3,), axes of the view, metres, and of the turn, radians."""
        arm = float(np.sqrt((places**2).sum(axis=1).mean()))
        turn = float(self.joints[0].max()) / (arm * len(places) ** 0.5) * 1.5**0.5
        return self._centre, np.full(3, turn)
