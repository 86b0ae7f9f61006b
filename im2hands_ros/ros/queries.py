"""Occupancy queries of the latest frame's field, evaluated in the gaps between frames.

No ROS here: the node's service `query_occupancy` submits them.
"""

from __future__ import annotations

import array
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import EncodedScene

# A field older than this is no longer what the camera sees; as long as markers live. Seconds.
FIELD_LIFETIME = 2.0

_MOST_POINTS = 2_000_000
_CHUNK = 4096  # points evaluated at once
# Seconds of evaluation until a waiting frame gets its turn: half of what the last frame took.
_SHARE, _SHORTEST_SLICE, _LONGEST_SLICE = 0.5, 0.02, 0.2
_WAIT_FOR_FRAME = 1.0  # seconds that a query waits for a frame when there is none
_ACTIVE = 5.0  # seconds after a query during which frames are encoded for the next one
_MOST_WAITING = 8
_ABSENT = -1.0


@dataclass(frozen=True)
class QueryResult:
    """What a query came to.

    Attributes:
        message: empty, or why there is no result.
        header: header of the image that the field is from; None without a result.
        probabilities: "left" and "right" -> (N,) float32 in [0, 1], or -1 for an absent hand.
    """

    message: str = ""
    header: Any = None
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _FrameField:
    header: Any
    scene: EncodedScene | None  # None: no hand in the image
    made_at: float


@dataclass(eq=False)  # a query is only itself
class _Query:
    points: np.ndarray
    reply: Callable[[QueryResult], None]
    submitted_at: float
    frame: _FrameField | None = None
    done: int = 0
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)


class Queries:
    """Keeps the latest field and evaluates queries with it, a slice of time at once.

    `submit` may be called from any thread; `set_field`, `clear` and `work` belong to the worker's
    thread or to one that knows the worker is at rest. All points of a query are evaluated with one
    field, however many frames pass meanwhile.

    Args:
        took: called with the milliseconds from query to result.
    """

    def __init__(self, took: Callable[[float], None]) -> None:
        self._took = took
        self._lock = threading.Lock()
        self._waiting: deque[_Query] = deque()
        self._latest: _FrameField | None = None
        self._submitted_at = -_ACTIVE
        self._left_at = time.monotonic()

    @property
    def are_active(self) -> bool:
        """Whether frames should be encoded although nobody has subscribed to results."""
        return bool(self._waiting) or time.monotonic() - self._submitted_at < _ACTIVE

    def submit(self, points: np.ndarray, reply: Callable[[QueryResult], None]) -> None:
        """Add a query; `reply` is called once, perhaps at once, perhaps on the worker's thread.

        Args:
            points: (N, 3) float32, finite; metres in the frame of the image.
            reply: takes the result.
        """
        self._submitted_at = time.monotonic()
        with self._lock:
            accepted = len(self._waiting) < _MOST_WAITING
            if accepted:
                self._waiting.append(_Query(points, reply, self._submitted_at))
        if not accepted:
            reply(QueryResult(f"{_MOST_WAITING} queries wait already: wait for their responses"))

    def set_field(self, header: Any, scene: EncodedScene | None) -> None:
        """Evaluate with this scene from now on; None: the image shows no hand."""
        self._latest = _FrameField(header, scene, time.monotonic())

    def clear(self, reason: str) -> None:
        """Release the field and refuse what waits."""
        self._latest = None
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for query in waiting:
            query.reply(QueryResult(reason))

    def work(self) -> bool:
        """Evaluate for a slice of time; whether there is more to do at once."""
        until = time.monotonic() + self._slice()
        more = self._work(until)
        self._left_at = time.monotonic()
        return more

    def _slice(self) -> float:
        elsewhere = time.monotonic() - self._left_at
        return float(np.clip(_SHARE * elsewhere, _SHORTEST_SLICE, _LONGEST_SLICE))

    def _work(self, until: float) -> bool:
        while (query := self._first()) is not None:
            frame, problem = self._field_of(query)
            if frame is None and time.monotonic() - query.submitted_at < _WAIT_FOR_FRAME:
                return False
            if frame is None:
                self._finish(query, QueryResult(problem))
            elif not self._advance(query, frame, until):
                return True
        return False

    def _first(self) -> _Query | None:
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def _field_of(self, query: _Query) -> tuple[_FrameField | None, str]:
        """The field of a query, the latest one if it has none yet; or why there is none."""
        latest, now = self._latest, time.monotonic()
        if query.frame is not None:
            return query.frame, ""
        if latest is None:
            return None, "no frame yet: send image, camera_info and keypoints of one stamp"
        if now - latest.made_at > FIELD_LIFETIME:
            age = f"{now - latest.made_at:.1f} s"
            return None, f"the latest frame is {age} old: are image and keypoints still sent?"
        query.frame = latest
        query.probabilities = {
            side: np.full(len(query.points), _ABSENT, np.float32) for side in SIDES
        }
        return latest, ""

    def _advance(self, query: _Query, frame: _FrameField, until: float) -> bool:
        """Evaluate chunks until the query is done or the time is over; whether it is done."""
        try:
            while query.done < len(query.points):
                _evaluate(query, frame.scene)
                if query.done < len(query.points) and time.monotonic() > until:
                    return False
        except Exception as error:  # noqa: BLE001 - the client gets the error, the stream goes on
            self._finish(query, QueryResult(f"the query failed: {type(error).__name__}: {error}"))
            return True
        self._took(1e3 * (time.monotonic() - query.submitted_at))
        self._finish(query, QueryResult("", frame.header, query.probabilities))
        return True

    def _finish(self, query: _Query, result: QueryResult) -> None:
        with self._lock:
            still_waits = query in self._waiting  # `clear` may have refused it meanwhile
            if still_waits:
                self._waiting.remove(query)
        if still_waits:
            query.reply(result)


def _evaluate(query: _Query, scene: EncodedScene | None) -> None:
    chunk = slice(query.done, query.done + _CHUNK)
    for side, probabilities in query.probabilities.items():
        hand = getattr(scene, side, None)
        if hand is not None:
            probabilities[chunk] = hand.occupancy(query.points[chunk])
    query.done += _CHUNK


def points_of(request: Any) -> np.ndarray:
    """(N, 3) float32 points of a service's request.

    Raises:
        ValueError: points that cannot be evaluated; the reason is for the response.
    """
    flat = np.asarray(request.points, np.float32)
    if flat.size % 3:
        raise ValueError(f"points holds {flat.size} numbers: give x, y, z of each point")
    if flat.size > 3 * _MOST_POINTS:
        raise ValueError(f"points holds {flat.size // 3} points: ask for {_MOST_POINTS} at most")
    bad = int((~np.isfinite(flat)).sum())
    if bad:
        raise ValueError(f"{bad} numbers of points are NaN or infinite: leave those points out")
    return flat.reshape(-1, 3)


def fill_response(response: Any, result: QueryResult) -> None:
    """Put a result into the service's response."""
    response.success, response.message = not result.message, result.message
    if response.success:
        response.header = result.header
        for side in SIDES:
            flat = array.array("f")
            flat.frombytes(result.probabilities[side].tobytes())
            setattr(response, side, flat)
