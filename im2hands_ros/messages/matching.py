"""Pairs an image with the keypoints of the same instant. No ROS here.

`message_filters` is not used: its Python synchroniser runs the callback inside its own lock without
releasing it on an exception, and it stops pairing after a bag loops.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

IMAGE, KEYPOINTS = "image", "keypoints"
_OTHER = {IMAGE: KEYPOINTS, KEYPOINTS: IMAGE}

# A message older than the last pair by more than this is a clock that was set back (a bag loop),
# not a straggler. Shorter loops show as a run of late messages whose stamps rise again.
_JUMP = 1_000_000_000
_LATE_RUN = 3


@dataclass(frozen=True)
class Match:
    """An image and the keypoints taken at (nearly) the same time; `stamp` is the image's, in ns."""

    stamp: int
    image: Any
    keypoints: Any


@dataclass
class _Stream:
    """What is known of one input: unmatched messages by stamp, and where the last pair was."""

    waiting: OrderedDict[int, Any]
    matched: int | None = None
    late: int | None = None
    late_run: int = 0


class StampMatcher:
    """Pairs two streams of stamped messages, each message at most once, stamps always rising.

    Copes with messages out of order, twice, or with a clock that is set back: pairs flow again
    within three messages of each stream. Use from one thread.

    Args:
        slop: largest difference of the two stamps of a pair, seconds; 0: equal stamps.
        capacity: unmatched messages kept per stream.
        on_drop: called as `on_drop(reason, detail)` for every message that will never be paired.
            Reasons: `<stream>_skipped` (a newer one was paired), `<stream>_unmatched` (no partner
            came while `capacity` newer ones did), `<stream>_duplicate`, `<stream>_late`,
            `<stream>_zero_stamp`, `<stream>_clock_jump`.
    """

    def __init__(self, slop: float, capacity: int, on_drop: Callable[[str, str], None]) -> None:
        self.slop = slop
        self._capacity = capacity
        self._on_drop = on_drop
        self._streams = {name: _Stream(OrderedDict()) for name in (IMAGE, KEYPOINTS)}

    def add_image(self, stamp: int, image: Any) -> Match | None:
        """Take an image with its stamp in nanoseconds; the pair it completes, if any."""
        return self._add(IMAGE, stamp, image)

    def add_keypoints(self, stamp: int, keypoints: Any) -> Match | None:
        """Take keypoints with their stamp in nanoseconds; the pair they complete, if any."""
        return self._add(KEYPOINTS, stamp, keypoints)

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages of each stream have no partner yet."""
        return {name: len(stream.waiting) for name, stream in self._streams.items()}

    def clear(self) -> None:
        """Forget everything, as when the node is activated anew."""
        self._streams = {name: _Stream(OrderedDict()) for name in (IMAGE, KEYPOINTS)}

    def _add(self, name: str, stamp: int, item: Any) -> Match | None:
        if not self._accept(name, stamp):
            return None
        partner_stamp = self._nearest(_OTHER[name], stamp)
        if partner_stamp is None or abs(partner_stamp - stamp) > self.slop * 1e9:
            self._keep(name, stamp, item)
            return None
        partner = self._streams[_OTHER[name]].waiting.pop(partner_stamp)
        self._close(name, stamp)
        self._close(_OTHER[name], partner_stamp)
        if name == IMAGE:
            return Match(stamp, item, partner)
        return Match(partner_stamp, partner, item)

    def _accept(self, name: str, stamp: int) -> bool:
        """Whether the message may still be paired; counts it if not, starts afresh on a jump."""
        stream = self._streams[name]
        if stamp <= 0:
            self._on_drop(f"{name}_zero_stamp", "header.stamp is zero")
            return False
        if stamp in stream.waiting or stamp == stream.matched:
            self._on_drop(f"{name}_duplicate", f"stamp {stamp / 1e9:.3f} s came twice")
            return False
        if stream.matched is None or stamp > stream.matched:
            stream.late, stream.late_run = None, 0
            return True
        if self._jumped_back(stream, stamp):
            self._start_afresh(name)
            return True
        self._on_drop(f"{name}_late", f"{(stream.matched - stamp) / 1e9:.3f} s after its turn")
        return False

    @staticmethod
    def _jumped_back(stream: _Stream, stamp: int) -> bool:
        rising = stream.late is not None and stamp > stream.late
        stream.late_run = stream.late_run + 1 if rising else 1
        stream.late = stamp
        assert stream.matched is not None  # only a message behind a pair can be late
        return stream.matched - stamp > _JUMP or stream.late_run >= _LATE_RUN

    def _start_afresh(self, cause: str) -> None:
        detail = f"the clock of {cause} was set back"
        for name, stream in self._streams.items():
            for _ in stream.waiting:
                self._on_drop(f"{name}_clock_jump", detail)
        self.clear()

    def _nearest(self, name: str, stamp: int) -> int | None:
        return min(self._streams[name].waiting, key=lambda other: abs(other - stamp), default=None)

    def _keep(self, name: str, stamp: int, item: Any) -> None:
        waiting = self._streams[name].waiting
        waiting[stamp] = item
        if len(waiting) > self._capacity:
            oldest, _ = waiting.popitem(last=False)
            self._on_drop(f"{name}_unmatched", self._gap(_OTHER[name], oldest))

    def _gap(self, partner: str, stamp: int) -> str:
        nearest = self._nearest(partner, stamp)
        if nearest is None:
            nearest = self._streams[partner].matched
        if nearest is None:
            return f"no {partner} came"
        return f"the nearest stamp of {partner} is {abs(nearest - stamp) / 1e9:.3f} s away"

    def _close(self, name: str, stamp: int) -> None:
        """Note a pair at this stamp and drop what is older: pairs never go back in time."""
        stream = self._streams[name]
        stream.matched = stamp
        for old in [other for other in stream.waiting if other < stamp]:
            del stream.waiting[old]
            self._on_drop(f"{name}_skipped", "a newer one was paired first")
