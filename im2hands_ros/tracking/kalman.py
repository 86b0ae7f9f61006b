"""Constant-velocity Kalman filters of many points at once, quicker while they manoeuvre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Innovations that keep pointing one way mean that the model is too slow, those that alternate that
# it follows noise. The size of their running mean (share of the past in it), over what independent
# ones would give, raises the acceleration at once from a threshold on, and adapts it slowly.
_MEMORY = 0.6
_BOOST_FROM = 3.0
_BOOST_RANGE = (0.2, 30.0)
_ADAPTION = 0.15
_LONGEST_STEP = 0.5  # seconds; beyond it nothing is left to be known of velocities


class Motion:
    """Velocities of N points with three axes each, and how uncertain places and velocities are.

    The places themselves are kept by the caller, who is given by how much to move them.

    Args:
        points: N.
        acceleration: standard deviation of what is usual, unit/s²; broadcasts to (N, 3).
    """

    def __init__(self, points: int, acceleration: float | Array) -> None:
        shape = (points, 3)
        self.velocity: Array = np.zeros(shape)
        self._acceleration = np.broadcast_to(np.asarray(acceleration, np.float64), shape)
        # Variances of place and velocity, and their covariance. Large: the first one is believed.
        self._place = np.full(shape, 1e2)
        self._speed = np.full(shape, 1.0)
        self._both = np.zeros(shape)
        self._drift = np.zeros(shape)
        self._boost = np.ones((points, 1))
        self._first = True

    def predict(self, elapsed: float) -> Array:
        """(N, 3) how far the points go in so many seconds."""
        t = min(elapsed, _LONGEST_STEP)
        q = (self._acceleration * self._boost) ** 2
        self._place = self._place + t * (2 * self._both + t * self._speed) + q * t**4 / 4
        self._both = self._both + t * self._speed + q * t**3 / 2
        self._speed = self._speed + q * t**2
        return self.velocity * t

    def correct(self, innovation: Array, noise: Array) -> Array:
        """(N, 3) how far to move the points, from how far off (N, 3) measurements are and their
        standard deviations, which broadcast to (N, 3)."""
        expected = self._place + noise**2
        if not self._first:
            self._watch(innovation, expected)
        self._first = False
        gain, speed_gain = self._place / expected, self._both / expected
        self.velocity = self.velocity + speed_gain * innovation
        self._speed = self._speed - speed_gain * self._both
        self._both = (1 - gain) * self._both
        self._place = (1 - gain) * self._place
        return gain * innovation

    def _watch(self, innovation: Array, expected: Array) -> None:
        """Raise the acceleration where innovations keep pointing one way."""
        self._drift = _MEMORY * self._drift + (1 - _MEMORY) * innovation
        white = (1 - _MEMORY) / (1 + _MEMORY)
        excess = (self._drift**2 / (white * expected)).mean(axis=1, keepdims=True)
        adapted = self._boost * np.exp(_ADAPTION * (np.minimum(excess, _BOOST_FROM) - 1))
        self._boost = np.clip(np.maximum(excess / _BOOST_FROM, adapted), *_BOOST_RANGE)


def decay(elapsed: float, time: float) -> float:
    """What is left after so many seconds of what falls to 1/e in a time."""
    return float(np.exp(-elapsed / time))
