"""Query points and their depth under the skin: labels for training and evaluation."""

from __future__ import annotations

import numpy as np

from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh

# Distances from the skin of the near-surface points, metres, and their shares.
NEAR_SIGMAS = (1.5e-3, 5e-3, 15e-3)
NEAR_SHARES = (0.4, 0.4, 0.2)
VOLUME_PADDING = 0.025
MAX_DEPTH = 0.02


def signed_depth(vertices: np.ndarray, triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How deep points lie under the skin of a closed mesh.

    Args:
        vertices: (V, 3) metres; triangles: (T, 3); points: (N, 3) in the mesh's frame.

    Returns:
        (N,) float32 metres: distance to the skin, positive inside, negative outside, clamped to
        ``MAX_DEPTH``. Where the skin overlaps itself it is inside, and the distance is to the
        nearest sheet.
    """
    mesh = MeshQueries(Mesh(vertices, triangles))
    distance = np.minimum(mesh.nearest(points.astype(np.float64))[0], MAX_DEPTH)
    return np.where(mesh.contains(points), distance, -distance).astype(np.float32)


def sample_points(
    vertices: np.ndarray, triangles: np.ndarray, rng: np.random.Generator, near: int, volume: int
) -> np.ndarray:
    """Points to label: around the skin and throughout the hand's box.

    Args:
        near: how many points at Gaussian offsets from random skin points (``NEAR_SIGMAS``).
        volume: how many points uniform in the bounding box padded by ``VOLUME_PADDING``.

    Returns:
        (near + volume, 3) float32, near points first, in the mesh's frame.
    """
    sigma = rng.choice(NEAR_SIGMAS, near, p=NEAR_SHARES)[:, None]
    close = surface_points(vertices, triangles, rng, near) + sigma * rng.standard_normal((near, 3))
    low, high = vertices.min(axis=0) - VOLUME_PADDING, vertices.max(axis=0) + VOLUME_PADDING
    spread = rng.uniform(low, high, (volume, 3))
    return np.concatenate([close, spread]).astype(np.float32)


def surface_points(
    vertices: np.ndarray, triangles: np.ndarray, rng: np.random.Generator, count: int
) -> np.ndarray:
    """(count, 3) float64 points uniform by area on the mesh."""
    a, b, c = (vertices[triangles[:, corner]].astype(np.float64) for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    cumulative = np.cumsum(area)
    chosen = np.searchsorted(cumulative, rng.uniform(0, cumulative[-1], count))
    chosen = np.minimum(chosen, len(triangles) - 1)
    root, second = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - root) * a[chosen] + root * (1 - second) * b[chosen] + root * second * c[chosen]
