"""The depth images of a stream, found again by the stamps of its images."""

from __future__ import annotations

import threading
from collections import deque

from sensor_msgs.msg import Image

from im2hands_ros.messages.header import nanoseconds

_KEPT = 8


class DepthImages:
    """Keeps the last few depth images."""

    def __init__(self) -> None:
        self._kept: deque[Image] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def add(self, message: Image) -> None:
        """Keep one; the oldest goes."""
        with self._lock:
            self._kept.append(message)

    def near(self, stamp: int, slop: float) -> tuple[Image | None, float]:
        """The one nearest in time to a stamp.

        Args:
            stamp: nanoseconds.
            slop: largest difference, seconds.

        Returns:
            The depth image, None where none is near enough, and the difference of the nearest one,
            seconds; infinite where there is none.
        """
        with self._lock:
            kept = list(self._kept)
        gaps = [abs(nanoseconds(each.header.stamp) - stamp) / 1e9 for each in kept]
        if not gaps:
            return None, float("inf")
        gap = min(gaps)
        return (kept[gaps.index(gap)] if gap <= slop else None), gap
