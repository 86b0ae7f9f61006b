"""Smoothing of keypoints over time: still hands stand still, moving ones do not lag.

The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012): a first-order low-pass whose cutoff rises
with the speed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CUTOFF_PER_SPEED = 20.0  # Hz more for each metre per second
_SPEED_CUTOFF = 1.0  # Hz; the speed itself is smoothed
_LONGEST_GAP = 0.5  # seconds; after it the hand may be anywhere


class OneEuro:
    """Filters one set of points; each point has a speed and a cutoff of its own."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._points: NDArray[np.float64] | None = None
        self._velocity: NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the past, as when the hand was lost."""
        self._points = None

    def __call__(
        self, points: NDArray[np.float32], seconds: float, cutoff: float
    ) -> NDArray[np.float32]:
        """Filter the next points.

        Args:
            points: (N, 3) metres.
            seconds: when they were taken; a step back or a long gap starts afresh.
            cutoff: of points at rest, Hz; lower is smoother.

        Returns:
            (N, 3) float32, metres.
        """
        elapsed = seconds - self._seconds
        self._seconds = seconds
        if self._points is None or self._velocity is None or not 0 < elapsed < _LONGEST_GAP:
            self._points, self._velocity = points.astype(np.float64), np.zeros(points.shape)
            return points
        measured = (points - self._points) / elapsed
        self._velocity += _share(_SPEED_CUTOFF, elapsed) * (measured - self._velocity)
        speed = np.linalg.norm(self._velocity, axis=-1, keepdims=True)
        share = _share(cutoff + _CUTOFF_PER_SPEED * speed, elapsed)
        self._points = self._points + share * (points - self._points)
        return self._points.astype(np.float32)


def _share(cutoff: float | NDArray[np.float64], elapsed: float) -> float | NDArray[np.float64]:
    """The share of a new value in a low-pass filter's output."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * elapsed))
