"""Hands that jump to and fro from frame to frame, as no hand moves.

Joints lifted by a hand's apparent size do so along the ray: place and size change, the pixels do
not. Two trackers on one topic do so in every frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import Joints

_FRAMES, _EVERY = 15, 5  # that are judged together, and from one judgement to the next
# Median of how far a hand is from where it would be, half-way between the frames around; metres.
# 10 mm of noise on every joint make 2 mm of it.
_JUMPS = 0.03
# Share of frames after which it goes the other way. Noise does so in 7 of 10; a hand that is moved
# to and fro twice a second, at 10 frames a second, in 4.
_TURNS = 0.55
# The same of two places in turns, where all jumps are about as long: their deviation, a share.
_APART, _TURNS_ALWAYS, _UNEVEN = 0.015, 0.9, 0.25


class Steadiness:
    """Watches how hands move. For one thread."""

    def __init__(self) -> None:
        self._places = {side: deque[NDArray[np.floating]](maxlen=_FRAMES) for side in SIDES}
        self._frame = 0
        self._said: tuple[tuple[str, str], ...] = ()

    def check(self, joints: Mapping[str, Joints]) -> tuple[tuple[str, str], ...]:
        """Kind and text; joints: (21, 3) metres, camera frame, of the next frame's sides."""
        for side, xyz in joints.items():
            self._places[side].append(xyz.mean(0))
        self._frame += 1
        if self._frame % _EVERY == 0:
            self._said = tuple(self._jumping(joints))
        return self._said

    def _jumping(self, sides: Iterable[str]) -> Iterator[tuple[str, str]]:
        for side in sides:
            if len(self._places[side]) < _FRAMES:
                continue
            beside = np.diff(self._places[side], 2, axis=0) / 2
            jumps, turns, uneven = _jumps(beside)
            along, turns_along, _ = _jumps(beside[:, 2:])
            if jumps > _APART and turns > _TURNS_ALWAYS and uneven < _UNEVEN:
                yield (
                    "unsteady_hand",
                    f"the {side} hand is in two places in turns, {1e3 * jumps:.0f} mm from each "
                    "other: stop one of two trackers that publish on this topic",
                )
            elif along > _JUMPS and turns_along > _TURNS:
                yield (
                    "unsteady_depth",
                    f"the {side} hand jumps by {1e3 * along:.0f} mm towards the camera and back "
                    "from frame to frame: take its distance from a depth image (use_depth) or from "
                    "a hand's known size, or filter it in the tracker",
                )


def _jumps(beside: NDArray[np.floating]) -> tuple[float, float, float]:
    """Their median length, the share of them that point away from those before, and by what share
    of the median they deviate."""
    lengths = np.linalg.norm(beside, axis=1)
    turns = (np.sum(beside[1:] * beside[:-1], axis=1) < 0).mean()
    median = float(np.median(lengths))
    return median, float(turns), float(lengths.std()) / max(median, 1e-9)
