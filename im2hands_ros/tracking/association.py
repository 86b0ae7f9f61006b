"""Which of the followed hands a tracker's hands are: by place, and in doubt by their sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES

T = TypeVar("T")
Hands = Mapping[str, NDArray[np.float32]]  # by side (21, 3) joints, metres, camera frame

# A hand is only taken for the other side's where its joints are so much nearer to that, metres.
HYSTERESIS = 0.02
# Joints further away than this are another hand's, metres.
REACH = 0.15


def are_exchanged(followed: Hands, given: Hands) -> bool:
    """Whether the given hands lie where the followed ones of the other side are expected.

    Joints are compared one by one: hands in one place still differ by how they are turned.
    """
    if not followed or not given:
        return False
    straight = {side: _distance(followed.get(side), xyz) for side, xyz in given.items()}
    crossed = {side: _distance(followed.get(_other(side)), xyz) for side, xyz in given.items()}
    if len(given) == len(followed) == len(SIDES):
        return sum(crossed.values()) + 2 * HYSTERESIS < sum(straight.values())
    # Of a pair one hand is missing: the nearest two are the same.
    nearest = min(given, key=lambda side: min(straight[side], crossed[side]))
    return crossed[nearest] + HYSTERESIS < straight[nearest]


def exchange(hands: Mapping[str, T]) -> dict[str, T]:
    """The same by the other sides."""
    return {_other(side): value for side, value in hands.items()}


def _other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


def _distance(expected: NDArray[np.float32] | None, joints: NDArray[np.float32]) -> float:
    """Mean distance of (21, 3) joints; REACH where it is more or there are none."""
    if expected is None:
        return REACH
    return min(REACH, float(np.linalg.norm(joints - expected, axis=1).mean()))
