"""Pairs an image with the keypoints of the same instant. No ROS here.

`message_filters` is not used: its Python synchroniser runs the callback inside its own lock without
releasing it on an exception, and it stops pairing after a bag loops.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from im2hands_ros.messages.stamps import PairTiming, gap_text

IMAGE, KEYPOINTS = "image", "keypoints"
_OTHER = {IMAGE: KEYPOINTS, KEYPOINTS: IMAGE}

# A message older than the last pair by more than this is a clock that was set back (a bag loop),
# not a straggler. Shorter loops show as a run of late messages whose stamps rise again.
_JUMP = 1_000_000_000
_LATE_RUN = 3

# Images wait so long for the keypoints of a slow detector, as many as this memory holds; of a
# slow camera a few wait longer.
_KEPT_NS = 2_000_000_000
_LEAST_KEPT = 16
_KEPT_BYTES = 256 * 2**20
_MOST_KEPT = 1024
_KEPT = f"{_KEPT_NS / 1e9:.0f} s and {_KEPT_BYTES >> 20} MiB of images are kept"
_RECENT = 256  # stamps of given-up images and of refused keypoints that are still known


@dataclass(frozen=True)
class Match:
    """An image and the keypoints taken at (nearly) the same time; `stamp` is the image's, in ns."""

    stamp: int
    image: Any
    keypoints: Any


@dataclass(frozen=True)
class _Waiting:
    """A message without a partner; `arrival` in seconds."""

    item: Any
    arrival: float
    size: int


@dataclass
class _Stream:
    """What is known of one input: unmatched messages by stamp, and where the last pair was."""

    waiting: OrderedDict[int, _Waiting]
    size: int = 0
    matched: int | None = None
    late: int | None = None
    late_run: int = 0


class StampMatcher:
    """Pairs two streams of stamped messages, each message at most once, stamps always rising.

    Copes with messages out of order, twice, or with a clock that is set back: pairs flow again
    within three messages of each stream. Use from one thread.

    Args:
        slop: largest difference of the two stamps of a pair, seconds; 0: equal stamps.
        on_drop: called as `on_drop(reason, detail)` for every message that will never be paired.
            Reasons: `<stream>_skipped` (a newer one was paired), `<stream>_unmatched` (no partner
            came while it was kept), `image_keypoints_refused`, `keypoints_too_late` (their image
            was given up), `<stream>_duplicate`, `<stream>_late`, `<stream>_zero_stamp`,
            `<stream>_clock_jump`. `detail` ends with the remedy where the reason is unmatched or
            too late.
        capacity: unmatched messages kept per stream, where two seconds (at least 16 messages) or
            256 MiB are not fewer.

    Attributes:
        timing: of the pairs.
    """

    def __init__(
        self, slop: float, on_drop: Callable[[str, str], None], capacity: int = _MOST_KEPT
    ) -> None:
        self.slop = slop
        self._capacity = capacity
        self._on_drop = on_drop
        self.clear()

    def add_image(
        self, stamp: int, image: Any, *, arrival: float | None = None, size: int = 0
    ) -> Match | None:
        """Take an image; the pair it completes, if any.

        Args:
            stamp: nanoseconds.
            image: whatever is to be matched.
            arrival: when it came, seconds of any one clock; now without.
            size: bytes that it holds.
        """
        match = self._add(IMAGE, stamp, image, arrival, size)
        if stamp > 0:
            self.timing.add_image(stamp)
        return match

    def add_keypoints(
        self, stamp: int, keypoints: Any, *, arrival: float | None = None
    ) -> Match | None:
        """Take keypoints; the pair they complete, if any; arguments as `add_image`'s."""
        return self._add(KEYPOINTS, stamp, keypoints, arrival, 0)

    def refuse_keypoints(self, stamp: int) -> None:
        """Note that the image of this stamp will get no keypoints: they came and are unusable."""
        self._refused.append(stamp)

    def finish(self, reason: str) -> None:
        """Drop all that still waits as unmatched, because of `reason` where it is no stamps'."""
        lacks = {name: not self._streams[_OTHER[name]].waiting for name in self._streams}
        details = [
            (name, reason if lacks[name] else self._gap(_OTHER[name], stamp))
            for name, stream in self._streams.items()
            for stamp in stream.waiting
            if name != IMAGE or not self._is_refused(stamp)
        ]
        self.clear()
        for name, detail in details:
            self._on_drop(f"{name}_unmatched", detail)

    def clear(self) -> None:
        """Forget everything, as when the node is activated anew."""
        self._streams = {name: _Stream(OrderedDict()) for name in (IMAGE, KEYPOINTS)}
        self._given_up: deque[int] = deque(maxlen=_RECENT)
        self._refused: deque[int] = deque(maxlen=_RECENT)
        self._are_late = False  # the last keypoints came when their image was given up
        self.timing = PairTiming()

    def _add(
        self, name: str, stamp: int, item: Any, arrival: float | None, size: int
    ) -> Match | None:
        if not self._accept(name, stamp):
            return None
        this = _Waiting(item, time.monotonic() if arrival is None else arrival, size)
        partner_stamp = self._nearest(_OTHER[name], stamp)
        if partner_stamp is None or not self._fits(partner_stamp, stamp):
            if name == IMAGE or not self._is_too_late(stamp):
                self._keep(name, stamp, this)
            return None
        partner = self._take(_OTHER[name], partner_stamp)
        self._close(name, stamp)
        self._close(_OTHER[name], partner_stamp)
        if name == IMAGE:
            return self._match(stamp, this, partner_stamp, partner)
        return self._match(partner_stamp, partner, stamp, this)

    def _match(
        self, stamp: int, image: _Waiting, keypoints_stamp: int, keypoints: _Waiting
    ) -> Match:
        self._are_late = False
        self.timing.add_pair((keypoints_stamp - stamp) / 1e9, keypoints.arrival - image.arrival)
        return Match(stamp, image.item, keypoints.item)

    def _fits(self, one: int, other: int) -> bool:
        return abs(one - other) <= self.slop * 1e9

    def _is_too_late(self, stamp: int) -> bool:
        """Whether keypoints belong to an image that was given up; counts them."""
        if not any(self._fits(image, stamp) for image in self._given_up):
            return False
        self._are_late = True
        self._on_drop(
            "keypoints_too_late",
            f"their image was given up, {_KEPT}: use a faster tracker or smaller images",
        )
        return True

    def _accept(self, name: str, stamp: int) -> bool:
        """Whether the message may still be paired; counts it if not, starts afresh on a jump."""
        stream = self._streams[name]
        if stamp <= 0:
            self._on_drop(
                f"{name}_zero_stamp",
                "header.stamp is zero" if not stamp else f"header.stamp is {stamp / 1e9:g} s",
            )
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

    def _keep(self, name: str, stamp: int, item: _Waiting) -> None:
        stream = self._streams[name]
        stream.waiting[stamp] = item
        stream.size += item.size
        while len(stream.waiting) > 1 and self._is_full(stream, stamp):
            self._give_up(name, next(iter(stream.waiting)))

    def _is_full(self, stream: _Stream, stamp: int) -> bool:
        too_many = len(stream.waiting) > self._capacity or stream.size > _KEPT_BYTES
        too_old = stamp - next(iter(stream.waiting)) > _KEPT_NS
        return too_many or (too_old and len(stream.waiting) > _LEAST_KEPT)

    def _take(self, name: str, stamp: int) -> _Waiting:
        stream = self._streams[name]
        item = stream.waiting.pop(stamp)
        stream.size -= item.size
        return item

    def _give_up(self, name: str, stamp: int) -> None:
        self._take(name, stamp)
        if name == IMAGE:
            if self._is_refused(stamp):
                self._on_drop("image_keypoints_refused", "its keypoints were refused")
                return
            self._given_up.append(stamp)
        self._on_drop(f"{name}_unmatched", self._gap(_OTHER[name], stamp))

    def _is_refused(self, stamp: int) -> bool:
        return any(self._fits(refused, stamp) for refused in self._refused)

    def _gap(self, partner: str, stamp: int) -> str:
        if partner == KEYPOINTS and self._are_late:
            return f"its keypoints come too late, {_KEPT}: use a faster tracker or smaller images"
        nearest = self._nearest(partner, stamp) or self._streams[partner].matched
        if nearest is None:
            return f"no {partner} came yet, {_KEPT}: start what publishes them, or use a faster one"
        return gap_text(partner, abs(nearest - stamp) / 1e9, self.timing.period)

    def _close(self, name: str, stamp: int) -> None:
        """Note a pair at this stamp and drop what is older: pairs never go back in time."""
        self._streams[name].matched = stamp
        for old in [other for other in self._streams[name].waiting if other < stamp]:
            self._take(name, old)
            self._on_drop(f"{name}_skipped", "a newer one was paired first")
