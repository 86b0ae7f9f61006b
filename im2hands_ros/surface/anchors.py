"""Points spread evenly over a surface, always the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Steps of the plane's most even additive sequence (R2): 1 / p and 1 / p^2 with p^3 = p + 1.
_STEPS = np.array([0.7548776662466927, 0.5698402909980532])


def points_on_surface(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer], count: int
) -> NDArray[np.float32]:
    """(count, 3) points on the triangles, as many on each as its share of the area.

    vertices (V, 3), triangles (T, 3) of positive total area.
    """
    corners = vertices[triangles].astype(np.float64)
    edges = corners[:, 1:] - corners[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1).cumsum()
    number = np.arange(count)
    chosen = np.searchsorted(area, (number + 0.5) / count * area[-1])
    share = (0.5 + number[:, None] * _STEPS) % 1
    # The far half of the parallelogram is folded back into the triangle.
    share = np.where(share.sum(1, keepdims=True) > 1, 1 - share, share)
    points = corners[chosen, 0] + (share[:, :, None] * edges[chosen]).sum(1)
    return points.astype(np.float32)
