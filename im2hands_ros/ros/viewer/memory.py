"""What the viewer keeps: the last images, and how old the results are. Needs no ROS."""

from __future__ import annotations

import time
from collections import deque


class RecentImages:
    """The last serialised images, to be shown together with the results made from them."""

    def __init__(self, room: int) -> None:
        self._room, self._size = room, 0
        self._images: deque[tuple[int, bytes]] = deque()

    def add(self, stamp_ns: int, cdr: bytes) -> None:
        """Keep an image; the oldest ones make room."""
        self._images.append((stamp_ns, cdr))
        self._size += len(cdr)
        while self._size > self._room and len(self._images) > 1:
            self._size -= len(self._images.popleft()[1])

    def of(self, stamp_ns: int | None) -> bytes | None:
        """The image with this stamp, else the newest one; None when there is none."""
        found = (cdr for stamp, cdr in self._images if stamp == stamp_ns)
        return next(found, self._images[-1][1] if self._images else None)


class ResultAge:
    """When a frame's results came last, and whether the next ones are overdue.

    A slow node's hands do not flicker, those of one that has ended do not stay: the next frame may
    take three times as long as the last one, within limits.

    Args:
        shortest, longest: limits of that time, seconds.

    Attributes:
        stamp_ns: stamp of the newest results; None when they are too old.
    """

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest, self._longest = shortest, longest
        self._timeout, self._last = shortest, time.monotonic()
        self.stamp_ns: int | None = None

    def add(self, stamp_ns: int) -> None:
        """Note one of a frame's results."""
        now = time.monotonic()
        if stamp_ns != self.stamp_ns:
            self._timeout = min(max(self._shortest, 3 * (now - self._last)), self._longest)
        self.stamp_ns, self._last = stamp_ns, now

    def expire(self) -> bool:
        """Whether the results have just become too old."""
        if self.stamp_ns is None or time.monotonic() - self._last <= self._timeout:
            return False
        self.stamp_ns = None
        return True
