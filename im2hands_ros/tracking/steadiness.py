"""Hands that jump to and fro along the ray from frame to frame, which no picture shows.

Joints lifted by a hand's apparent size do so: place and size change, the pixels do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import Joints

_FRAMES, _EVERY = 15, 5  # that are judged together, and from one judgement to the next
# Median of how far a hand is from where it would be, half-way between the frames around; metres.
# 10 mm of noise on every joint make 2 mm of it.
_JUMPS = 0.03
# Share of frames after which it goes the other way. Noise does so in 7 of 10; a hand that is moved
# to and fro twice a second, at 10 frames a second, in 4.
_TURNS = 0.55


class Steadiness:
    """Watches how hands move along z. For one thread."""

    def __init__(self) -> None:
        self._depths = {side: deque[float](maxlen=_FRAMES) for side in SIDES}
        self._frame = 0
        self._said: tuple[tuple[str, str], ...] = ()

    def check(self, joints: Mapping[str, Joints]) -> tuple[tuple[str, str], ...]:
        """Kind and text; joints: (21, 3) metres, camera frame, of the next frame's sides."""
        for side, xyz in joints.items():
            self._depths[side].append(float(xyz[:, 2].mean()))
        self._frame += 1
        if self._frame % _EVERY == 0:
            self._said = tuple(self._jumping(joints))
        return self._said

    def _jumping(self, sides: Iterable[str]) -> Iterator[tuple[str, str]]:
        for side in sides:
            depths = self._depths[side]
            if len(depths) < _FRAMES:
                continue
            beside = np.diff(depths, 2) / 2
            jumps = float(np.median(np.abs(beside)))
            if jumps > _JUMPS and np.mean(beside[1:] * beside[:-1] < 0) > _TURNS:
                yield (
                    "unsteady_depth",
                    f"the {side} hand jumps by {1e3 * jumps:.0f} mm towards the camera and back "
                    "from frame to frame: take its distance from a depth image (use_depth) or from "
                    "a hand's known size, or filter it in the tracker",
                )
