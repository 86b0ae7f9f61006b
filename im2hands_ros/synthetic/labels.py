"""Query points and their depth under the skin: labels for training and evaluation."""

from __future__ import annotations

import igl
import numpy as np

# Distances from the skin of the near-surface points, metres, and their shares.
NEAR_SIGMAS = (1.5e-3, 5e-3, 15e-3)
NEAR_SHARES = (0.4, 0.4, 0.2)
VOLUME_PADDING = 0.025
MAX_DEPTH = 0.02


def occupancy_labels(vertices: np.ndarray, triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points lie inside a closed mesh, by its winding number.

    A point where the skin overlaps itself has winding number 2 and counts as inside, which ray
    parity gets wrong. Mirrored meshes (winding number -1) count as well.

    Args:
        vertices: (V, 3); triangles: (T, 3) of a watertight mesh; points: (N, 3) in its frame.

    Returns:
        (N,) bool.
    """
    winding = igl.fast_winding_number(
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(triangles, np.int64),
        np.ascontiguousarray(points, np.float64),
    )
    return np.abs(winding) > 0.5


def signed_depth(vertices: np.ndarray, triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How deep points lie under the skin of a closed mesh.

    Args:
        as ``occupancy_labels``; metres.

    Returns:
        (N,) float32 metres: distance to the skin, positive inside, negative outside, clamped to
        ``MAX_DEPTH``. Where the skin overlaps itself the distance is to the nearest sheet.
    """
    inside = occupancy_labels(vertices, triangles, points)
    squared = igl.point_mesh_squared_distance(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(vertices, np.float64),
        np.ascontiguousarray(triangles, np.int64),
    )[0]
    distance = np.minimum(np.sqrt(squared), MAX_DEPTH)
    return np.where(inside, distance, -distance).astype(np.float32)


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
