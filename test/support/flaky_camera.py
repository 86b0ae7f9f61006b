"""The camera source with a device that is unplugged after some pictures and comes back later.

    python flaky_camera.py [--ros-args ...]

It gives six pictures, cannot be opened twice, and then works on.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from im2hands_ros.ros.camera.capture import SourceLost
from im2hands_ros.ros.camera.node import main

PICTURES, FAILURES = 6, 2
SIZE = (64, 48)


class Unplugged:
    """A device of plain grey pictures; the first one that is opened is lost after some."""

    is_file = False
    size = SIZE
    rate = 30.0
    opened = 0

    def __init__(self, *_: object) -> None:
        type(self).opened += 1
        if 2 <= self.opened <= 1 + FAILURES:
            raise SourceLost("camera '7' cannot be opened")
        self._left = PICTURES if self.opened == 1 else 10**6

    def grab(self) -> bool:
        time.sleep(0.1)
        self._left -= 1
        if self._left < 0:
            raise SourceLost("camera '7' gives no pictures any more")
        return True

    def picture(self) -> np.ndarray:
        return np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)

    def rewind(self) -> None:
        raise AssertionError("a device cannot be rewound")

    def close(self) -> None:
        pass


if __name__ == "__main__":
    main(sys.argv, Unplugged)
