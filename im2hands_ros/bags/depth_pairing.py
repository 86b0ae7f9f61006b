"""A bag's depth images, each given to the frame of its instant."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from im2hands_ros.messages.header import nanoseconds

if TYPE_CHECKING:
    from im2hands_ros.bags.frames import Frame, Message

# Stamps of a frame and its depth image differ by so much at most, as in the node, seconds.
_LEAST_SLOP = 0.02
_PATIENCE_NS = 1_000_000_000  # of receptions that a frame waits for its depth image
_KEPT = 32  # depth images


class DepthPairing:
    """Holds frames back until their depth images have come, or will not come any more.

    Args:
        slop: largest stamp difference of an image and its keypoints, seconds.

    Attributes:
        missed: how many frames went on without.
    """

    def __init__(self, slop: float) -> None:
        self._slop_ns = round(1e9 * max(slop, _LEAST_SLOP))
        self._depths: deque[tuple[int, Message]] = deque(maxlen=_KEPT)
        self._frames: deque[tuple[Frame, int]] = deque()
        self.missed = 0

    def add_depth(self, message: Message) -> None:
        """Keep a depth image."""
        self._depths.append((nanoseconds(message.fields.header.stamp), message))

    def add_frame(self, frame: Frame, received_ns: int) -> None:
        """Keep a frame for its depth image."""
        self._frames.append((frame, received_ns))

    def ready(self, now_ns: int | None) -> Iterator[tuple[Frame, int]]:
        """Frames that need not wait any longer, in their order, each with its reception.

        now_ns: reception of the last message; None: there are no more.
        """
        while self._frames:
            frame, received_ns = self._frames[0]
            stamp = nanoseconds(frame.header.stamp)
            depth = self._nearest(stamp)
            # A later depth image may be nearer, as long as none after the frame has come.
            settled = any(other >= stamp for other, _ in self._depths)
            waits = now_ns is not None and now_ns - received_ns < _PATIENCE_NS
            if waits and not (settled and depth is not None) and not self._is_past(stamp):
                return
            self._frames.popleft()
            self.missed += depth is None
            yield replace(frame, depth=depth), received_ns

    def _nearest(self, stamp: int) -> Message | None:
        near = [(abs(other - stamp), message) for other, message in self._depths]
        gap, message = min(near, key=lambda each: each[0], default=(self._slop_ns + 1, None))
        return message if gap <= self._slop_ns else None

    def _is_past(self, stamp: int) -> bool:
        """Whether depth images have come that are too late for a frame."""
        return any(other > stamp + self._slop_ns for other, _ in self._depths)
