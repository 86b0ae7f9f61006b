"""Which joints of a hand lie in a piece of its surface that was left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def inside_of(corners: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which points (N, 3) lie in closed pieces of any orientation, by their winding number.

    corners: (L, 3, 3) of the pieces' triangles. For few of both: N * L solid angles (van Oosterom
    and Strackee, 1983).
    """
    to = corners[None].astype(np.float64) - points[:, None, None]
    length = np.linalg.norm(to, axis=-1)
    a, b, c = to[:, :, 0], to[:, :, 1], to[:, :, 2]
    volume = (np.cross(a, b) * c).sum(-1)
    denominator = length.prod(-1)
    for first, second, third in ((a, b, 2), (b, c, 0), (c, a, 1)):
        denominator += (first * second).sum(-1) * length[:, :, third]
    winding = np.arctan2(volume, denominator).sum(1) / (2 * np.pi)
    return np.abs(winding) > 0.5
