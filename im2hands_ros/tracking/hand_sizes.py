"""Whether both hands are of a size, as one person's are.

A hand of a wrong size at a wrong distance has the right pixels: no picture shows it. With all of a
tracker's errors two right hands differ by a factor of 1.18 at most, in the median of 15 seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np

from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.tracking.interfaces import Joints

_SAMPLES, _EVERY = 45, 10  # frames with both hands, of every so many frames
_MOST = 1.28
_KNUCKLES = np.array([5, 9, 13, 17])


class HandSizes:
    """Compares the hands of a stream. For one thread."""

    def __init__(self) -> None:
        self._frame = 0
        self._ratios = deque[float](maxlen=_SAMPLES)

    def check(self, joints: Mapping[str, Joints]) -> Iterator[tuple[str, str]]:
        """Kind and text; joints: (21, 3) metres, camera frame, of the next frame's sides."""
        if len(joints) < len(SIDES):
            return
        self._frame += 1
        if self._frame % _EVERY == 0:
            left, right = (_palm(joints[side]) for side in SIDES)
            self._ratios.append(left / max(right, 1e-6))
        if len(self._ratios) < _SAMPLES:
            return
        ratio = float(np.median(self._ratios))
        if max(ratio, 1 / ratio) > _MOST:
            larger, smaller = SIDES if ratio > 1 else SIDES[::-1]
            yield (
                "hand_sizes",
                f"the {larger} hand has been {max(ratio, 1 / ratio):.2f} times as large as the "
                f"{smaller} one: size and distance of one of them are wrong, or they are two "
                "people's: give both hands the size that the person's have",
            )


def _palm(xyz: Joints) -> float:
    """Mean length from wrist to knuckles, metres."""
    return float(np.linalg.norm(xyz[_KNUCKLES] - xyz[WRIST], axis=1).mean())
