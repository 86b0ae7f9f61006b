"""How deep two hands' surfaces run into each other, and the way out."""

import numpy as np
from scipy.spatial import cKDTree

REACH = 0.025  # metres; nothing lies deeper inside a hand


class Solid:
    """A closed surface; how deep points lie in it, fast and to about half a millimetre.

    vertices (V, 3) metres; triangles (T, 3), counter-clockwise seen from outside.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray) -> None:
        self.vertices = vertices
        self.normals = vertex_normals(vertices, triangles)
        self._tree = cKDTree(vertices)
        self._low, self._high = vertices.min(0), vertices.max(0)

    def overlap(self, points: np.ndarray) -> tuple[float, np.ndarray]:
        """Deepest of the points (N, 3), metres, and the unit way out (3,); zeros if none is in.

        The nearest vertex and its normal stand for the surface.
        """
        near = points[((points > self._low) & (points < self._high)).all(1)]
        distance, row = self._tree.query(near, distance_upper_bound=REACH)
        near, row = near[distance < REACH], row[distance < REACH]
        normal = self.normals[row]
        depth = -((near - self.vertices[row]) * normal).sum(1)
        if not (depth > 0).any():
            return 0.0, np.zeros(3)
        way = (normal * (depth * (depth > 0.5 * depth.max()))[:, None]).sum(0)
        return float(depth.max()), way / max(np.linalg.norm(way), 1e-9)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) outward unit normals, weighted by area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for axis in range(3):
        weight = np.repeat(face[:, axis], 3)
        normals[:, axis] = np.bincount(triangles.ravel(), weight, minlength=len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def free_shift(right: Solid, left: Solid, deepest: float) -> np.ndarray:
    """(3,) metres by which the left hand must move to overlap by no more than `deepest`."""
    shift = np.zeros(3)
    for attempt in range(60):
        depth, way = right.overlap(left.vertices + shift)
        other, back = left.overlap(right.vertices - shift)
        if max(depth, other) <= deepest:
            break
        if other > depth:
            depth, way = other, -back
        # First out along the contact's own direction; if that leads nowhere, straight apart.
        step = way * (depth - 0.6 * deepest) if attempt < 4 else np.array([-0.004, 0, 0])
        shift = shift + step
    return shift
