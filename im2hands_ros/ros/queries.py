"""Questions about the occupancy field of the latest frame, answered in the gaps between frames.

No ROS here: `query_service` is the ear and the mouth.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from im2hands_ros.skeleton import SIDES

# A field older than this is no longer what the camera sees; as long as markers live. Seconds.
FIELD_LIFETIME = 2.0

_CHUNK = 4096  # points evaluated at once
# Seconds of answering until a waiting frame gets its turn: half of what the last frame took.
_SHARE, _SHORTEST_SLICE, _LONGEST_SLICE = 0.5, 0.02, 0.2
_PATIENCE = 1.0  # seconds that a question waits for a frame when there is none
_INTEREST = 5.0  # seconds after a question during which frames are encoded for the next one
_MOST_WAITING = 8
_ABSENT = -1.0


@dataclass(frozen=True)
class Answer:
    """What became of a question.

    Attributes:
        message: empty, or why there is no answer.
        header: header of the image that the field is from; None without an answer.
        probabilities: "left" and "right" -> (N,) float32 in [0, 1], or -1 for an absent hand.
    """

    message: str = ""
    header: Any = None
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Field:
    header: Any
    scene: Any  # None: no hand in the image
    made_at: float


@dataclass(eq=False)  # a question is only itself
class _Question:
    points: np.ndarray
    reply: Callable[[Answer], None]
    asked_at: float
    found: _Field | None = None
    done: int = 0
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)


class Queries:
    """Keeps the latest field and answers questions with it, a slice of time at once.

    `ask` may be called from any thread; `keep`, `forget` and `work` belong to the worker's thread
    or to one that knows the worker is at rest. All points of a question are answered from one
    field, however many frames pass meanwhile.

    Args:
        took: told the milliseconds from question to answer.
    """

    def __init__(self, took: Callable[[float], None]) -> None:
        self._took = took
        self._lock = threading.Lock()
        self._waiting: deque[_Question] = deque()
        self._latest: _Field | None = None
        self._asked_at = -_INTEREST
        self._left_at = time.monotonic()

    @property
    def interested(self) -> bool:
        """Whether frames should be encoded although nobody subscribes."""
        return bool(self._waiting) or time.monotonic() - self._asked_at < _INTEREST

    def ask(self, points: np.ndarray, reply: Callable[[Answer], None]) -> None:
        """Put a question; `reply` is called once, perhaps at once, perhaps on the worker's thread.

        Args:
            points: (N, 3) float32, finite; metres in the frame of the image.
            reply: takes the answer.
        """
        self._asked_at = time.monotonic()
        with self._lock:
            accepted = len(self._waiting) < _MOST_WAITING
            if accepted:
                self._waiting.append(_Question(points, reply, self._asked_at))
        if not accepted:
            reply(Answer(f"{_MOST_WAITING} questions wait already: wait for their answers"))

    def keep(self, header: Any, scene: Any) -> None:
        """Answer from this scene from now on; None: the image shows no hand."""
        self._latest = _Field(header, scene, time.monotonic())

    def forget(self, reason: str) -> None:
        """Let go of the field and refuse what waits."""
        self._latest = None
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for question in waiting:
            question.reply(Answer(reason))

    def work(self) -> bool:
        """Answer for a slice of time; whether there is more to do at once."""
        until = time.monotonic() + self._slice()
        more = self._work(until)
        self._left_at = time.monotonic()
        return more

    def _slice(self) -> float:
        elsewhere = time.monotonic() - self._left_at
        return float(np.clip(_SHARE * elsewhere, _SHORTEST_SLICE, _LONGEST_SLICE))

    def _work(self, until: float) -> bool:
        while (question := self._first()) is not None:
            problem = self._begin(question)
            if problem and time.monotonic() - question.asked_at < _PATIENCE:
                return False
            if problem:
                self._finish(question, Answer(problem))
            elif not self._advance(question, until):
                return True
        return False

    def _first(self) -> _Question | None:
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def _begin(self, question: _Question) -> str:
        """Give the question its field unless it has one; why there is none."""
        if question.found is not None:
            return ""
        latest, now = self._latest, time.monotonic()
        if latest is None:
            return "no frame yet: send image, camera_info and keypoints of one stamp"
        if now - latest.made_at > FIELD_LIFETIME:
            age = f"{now - latest.made_at:.1f} s"
            return f"the latest frame is {age} old: are image and keypoints still sent?"
        question.found = latest
        question.probabilities = {
            side: np.full(len(question.points), _ABSENT, np.float32) for side in SIDES
        }
        return ""

    def _advance(self, question: _Question, until: float) -> bool:
        """Evaluate chunks until the question is answered or the time is over; whether it is."""
        try:
            while question.done < len(question.points):
                self._evaluate(question)
                if question.done < len(question.points) and time.monotonic() > until:
                    return False
        except Exception as error:  # noqa: BLE001 - whoever asked is told, the stream goes on
            self._finish(question, Answer(f"the query failed: {type(error).__name__}: {error}"))
            return True
        answer = Answer("", question.found.header, question.probabilities)
        self._took(1e3 * (time.monotonic() - question.asked_at))
        self._finish(question, answer)
        return True

    @staticmethod
    def _evaluate(question: _Question) -> None:
        chunk = slice(question.done, question.done + _CHUNK)
        for side, probabilities in question.probabilities.items():
            hand = getattr(question.found.scene, side, None)
            if hand is not None:
                probabilities[chunk] = hand.occupancy(question.points[chunk])
        question.done += _CHUNK

    def _finish(self, question: _Question, answer: Answer) -> None:
        with self._lock:
            open_still = question in self._waiting  # `forget` may have refused it meanwhile
            if open_still:
                self._waiting.remove(question)
        if open_still:
            question.reply(answer)
