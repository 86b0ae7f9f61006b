"""The colour of a hand's skin in a picture, and whether two hands can be one person's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.landmarks import FloatArray

_WINDOW = 2  # pixels around a joint
# Of both logarithms: looks at hands of one person in one picture seldom differ by more.
_OTHER = 0.06
_FEWEST = 5  # joints in the picture, from which on a hand has a colour


def colour_of(image: NDArray[np.uint8], pixels: FloatArray) -> FloatArray:
    """(2,) logarithms of red to green and of green to blue at most of (21, 2) joints, which change
    with the person but little with the shade; NaN where too few lie in the (H, W, 3) picture."""
    columns, rows = np.rint(pixels).astype(int).T
    height, width = image.shape[:2]
    inside = (columns >= _WINDOW) & (columns < width - _WINDOW)
    inside &= (rows >= _WINDOW) & (rows < height - _WINDOW)
    if inside.sum() < _FEWEST:
        return np.full(2, np.nan)
    around = np.arange(-_WINDOW, _WINDOW + 1)
    patches = image[
        rows[inside, None, None] + around[:, None], columns[inside, None, None] + around
    ]
    means = np.log(patches.mean(axis=(1, 2), dtype=np.float64) + 4)
    return np.median(means[:, :2] - means[:, 1:], axis=0)  # type: ignore[no-any-return]


def may_be_one_skin(colours: list[FloatArray]) -> bool:
    """Whether no two of these (2,) colours of one picture differ clearly; NaN differs from none."""
    apart = [np.linalg.norm(a - b) for a in colours for b in colours]
    return not any(each > _OTHER for each in apart)
