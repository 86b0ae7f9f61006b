"""What a search on a device found: surfaces instead of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.surface.search import SurfaceCells


class FixedSurface(NamedTuple):
    """A hand's surface: vertices (V, 3) float32 in lattice coordinates, triangles (T, 3) int32,
    closed, counter-clockwise from outside."""

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]


@dataclass(frozen=True)
class MarchedCells(SurfaceCells):
    """Cells and values stay on the device and are empty here.

    Attributes:
        surfaces: of each hand.
    """

    surfaces: tuple[FixedSurface, ...] = ()
