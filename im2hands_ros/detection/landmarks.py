"""What the landmark network sees of one hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.anatomy import mean_bone_length

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
        presence: probability that a hand is there at all.
        fits: logarithm of the odds that it is the hand that was meant, where the network was
            conditioned on both; NaN: it was not.
    """

    pixels: FloatArray
    relief: FloatArray
    shape: FloatArray
    right: float
    presence: float = 1.0
    fits: float = math.nan

    @property
    def centre(self) -> FloatArray:
        """(2,) pixels."""
        return self.pixels.mean(axis=0)

    @property
    def extent(self) -> float:
        """Diagonal of the hand's box in the image, pixels."""
        return float(np.linalg.norm(np.ptp(self.pixels, axis=0)))

    @property
    def size(self) -> float:
        """Logarithm of the mean bone length in pixels, as if nothing was foreshortened."""
        bones = mean_bone_length(np.column_stack([self.pixels, self.relief]))
        return math.log(max(bones, 1e-6))

    def is_of(self, side: str) -> float:
        """Probability that it is a hand of this side, "left" or "right"."""
        return self.right if side == "right" else 1 - self.right

    def distance(self, other: Landmarks) -> float:
        """Mean distance of the joints of two hands, of the larger one's extent."""
        apart = np.linalg.norm(self.pixels - other.pixels, axis=1).mean()
        return float(apart / max(self.extent, other.extent, 1.0))

    def said_right(self, right: float) -> Landmarks:
        """The same hand with another probability of being a right one."""
        return replace(self, right=right)

    def moved_to(self, places: FloatArray) -> Landmarks:
        """The same hand with (21, 3) other pixels and relief."""
        return replace(self, pixels=places[:, :2], relief=places[:, 2])

    def mistaken(self) -> Landmarks:
        """The same hand with the probabilities of the sides exchanged."""
        return replace(self, right=1 - self.right)

    def judged_as(self, other: Landmarks) -> Landmarks:
        """The same joints with the presence and the side of another look at the hand."""
        return replace(self, right=other.right, presence=other.presence)

    def mirrored(self, width: int) -> Landmarks:
        """The pixels of the same hand in the image mirrored left to right."""
        return replace(self, pixels=self.pixels * (-1, 1) + (width - 1, 0))
