"""What a hand landmarker finds of one hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import BONES

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Landmarks:
    """One hand; joints in MANO order, which is MediaPipe's too.

    Attributes:
        pixels: (21, 2) in the image; the top-left pixel's centre is (0, 0).
        relief: (21,) how much farther away than others a joint is, in pixels too.
        shape: (21, 3) the hand by itself, turned as the camera sees it (x right, y down,
            z forward); at the origin, of a typical size.
        right: probability that it is a right hand.
    """

    pixels: FloatArray
    relief: FloatArray
    shape: FloatArray
    right: float

    @property
    def centre(self) -> FloatArray:
        """(2,) pixels."""
        return self.pixels.mean(axis=0)

    @property
    def extent(self) -> float:
        """Diagonal of the hand's box in the image, pixels."""
        return float(np.linalg.norm(np.ptp(self.pixels, axis=0)))

    def mirrored(self, width: int) -> Landmarks:
        """The pixels of the same hand in the image mirrored left to right."""
        return replace(self, pixels=self.pixels * (-1, 1) + (width - 1, 0))


def mean_bone_length(joints: FloatArray) -> float:
    """Mean length of the 20 bones of (21, 3) joints."""
    parents, children = np.array(BONES).T
    return float(np.linalg.norm(joints[children] - joints[parents], axis=1).mean())
