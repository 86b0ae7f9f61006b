"""What the outgoing messages hold, as arrays. No ROS here."""

from __future__ import annotations

from typing import Any

import numpy as np

from im2hands_ros.skeleton import SIDES

SIDE_NUMBER = {side: number for number, side in enumerate(SIDES)}  # HandMesh.LEFT, HandMesh.RIGHT


def present(hands: Any) -> list[tuple[str, Any]]:
    """("left" or "right", HandSurface) of the hands that are there, left first."""
    pairs = ((side, getattr(hands, side)) for side in SIDES)
    return [(side, surface) for side, surface in pairs if surface is not None]


CLOUD_DTYPE = np.dtype(
    {
        "names": ["x", "y", "z", "occupancy", "side"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "u1"],
        "offsets": [0, 4, 8, 12, 16],
        "itemsize": 20,
    }
)


def cloud_points(hands: Any) -> np.ndarray:
    """The occupied voxels of all hands as a (N,) `CLOUD_DTYPE` array."""
    surfaces = present(hands)
    points = np.zeros(sum(len(surface.voxels) for _, surface in surfaces), CLOUD_DTYPE)
    start = 0
    for side, surface in surfaces:
        part = points[start : start + len(surface.voxels)]
        for axis, name in enumerate("xyz"):
            part[name] = surface.voxels[:, axis]
        part["occupancy"] = surface.voxel_occupancy
        part["side"] = SIDE_NUMBER[side]
        start += len(part)
    return points
