"""Both hands of a frame, as results hold them: what the writers read. No ROS here."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class HandPair(Protocol[T_co]):
    """Two hands, either of them None where there is no such hand."""

    @property
    def left(self) -> T_co | None: ...

    @property
    def right(self) -> T_co | None: ...


class PosedHand(Protocol):
    """A hand's (21, 3) float32 keypoints, metres, MANO order; confidence in [0, 1] or None."""

    @property
    def keypoints(self) -> NDArray[np.float32]: ...

    @property
    def confidence(self) -> float | None: ...


def present(hands: HandPair[T]) -> list[tuple[str, T]]:
    """("left" or "right", hand) of the hands that are there, left first."""
    pairs = zip(SIDES, (hands.left, hands.right), strict=True)
    return [(side, hand) for side, hand in pairs if hand is not None]
