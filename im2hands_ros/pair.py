"""One thing for each hand of a person: keypoints, fields, surfaces, confidences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES

T = TypeVar("T")


@dataclass(frozen=True)
class HandPair(Mapping[str, "T | None"], Generic[T]):
    """What belongs to the left and to the right hand; None where that hand is absent.

    ``pair.left`` is ``pair["left"]``. As a mapping it always has both sides, left first, so it goes
    wherever a dict per side does; ``present`` has the hands that are there.
    """

    left: T | None = None
    right: T | None = None

    def __getitem__(self, side: str) -> T | None:
        if side not in SIDES:
            raise KeyError(side)
        return self.left if side == "left" else self.right

    def __iter__(self) -> Iterator[str]:
        return iter(SIDES)

    def __len__(self) -> int:
        return len(SIDES)

    @property
    def present(self) -> dict[str, T]:
        """By side, left first, what is not None."""
        return {side: value for side, value in self.items() if value is not None}


Keypoints: TypeAlias = "Mapping[str, NDArray[np.floating] | None]"
"""Per side (21, 3) joints in MANO order, metres, camera frame; None or missing: no such hand.
A dict or a `HandPair`."""

KeypointPair: TypeAlias = "HandPair[NDArray[np.float32]]"
"""The same after the checks."""
