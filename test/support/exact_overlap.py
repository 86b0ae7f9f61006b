"""How deep two hands run into each other, exactly: what the fast measure is compared with."""

import igl
import numpy as np


def exact_penetration(
    right: np.ndarray, left: np.ndarray, triangles: dict[str, np.ndarray]
) -> float:
    """Deepest vertex (metres) of either hand (V, 3) inside the other, by winding number."""
    deepest = 0.0
    for inner, outer, side in ((left, right, "right"), (right, left, "left")):
        inner, outer = inner.astype(np.float64), outer.astype(np.float64)
        winding = igl.fast_winding_number(outer, triangles[side], inner)
        inside = inner[np.abs(winding) > 0.5]
        if len(inside):
            square = igl.point_mesh_squared_distance(inside, outer, triangles[side])[0]
            deepest = max(deepest, float(np.sqrt(square.max())))
    return deepest
