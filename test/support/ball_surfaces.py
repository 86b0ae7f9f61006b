"""Surfaces that are known: a coarse ball at each keypoint."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from im2hands_ros.pair import HandPair

RADIUS = 0.008
# An octahedron: (6, 3) vertices, (8, 3) faces counter-clockwise seen from outside.
_CORNERS = RADIUS * np.array([*np.eye(3), *-np.eye(3)])
_FACES = np.array(
    [[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]
)


@dataclass
class Surface:
    vertices: np.ndarray
    triangles: np.ndarray
    confidence: float
    keypoints: np.ndarray
    voxels: np.ndarray
    voxel_occupancy: np.ndarray
    severed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Hands(HandPair[Surface]):
    timings_ms: dict[str, float] = field(default_factory=dict)


def balls(keypoints: np.ndarray, confidence: float = 1.0) -> Surface:
    """A coarse ball at each of the 21 keypoints."""
    vertices = (keypoints[:, None] + _CORNERS).reshape(-1, 3).astype(np.float32)
    offsets = np.arange(len(keypoints)) * len(_CORNERS)
    triangles = (offsets[:, None, None] + _FACES).reshape(-1, 3).astype(np.int32)
    full = np.ones(len(keypoints), np.float32)
    return Surface(vertices, triangles, confidence, keypoints, keypoints, full)
