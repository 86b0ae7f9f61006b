"""Queries of a closed mesh: its trees, samples and normals are made once.

Lengths are metres; triangles are counter-clockwise seen from outside.
"""

from __future__ import annotations

from functools import cached_property

import igl
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.synthetic.sample import Mesh

Array = NDArray[np.floating]


class MeshQueries:
    """A mesh with what labels and scores are computed from.

    Attributes:
        vertices: (V, 3) float64. triangles: (T, 3) int64.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.vertices = np.ascontiguousarray(mesh.vertices, np.float64)
        self.triangles = np.ascontiguousarray(mesh.triangles, np.int64)
        self._samples: dict[tuple[int, int], tuple[Array, Array]] = {}

    @classmethod
    def of(cls, mesh: Mesh | MeshQueries) -> MeshQueries:
        """The queries of a mesh; those that were made already are kept."""
        return mesh if isinstance(mesh, MeshQueries) else cls(mesh)

    @cached_property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest corner, (3,) each."""
        return self.vertices.min(0), self.vertices.max(0)

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Which points (N, 3) lie inside: those with a winding number other than 0.

        So where the mesh overlaps itself is inside, and a mesh turned inside out has the same
        inside.
        """
        inside = np.zeros(len(points), bool)
        if not len(self.triangles) or not len(points):
            return inside
        low, high = self.box
        near = ((points >= low) & (points <= high)).all(1)
        if near.any():
            queries = np.ascontiguousarray(points[near], np.float64)
            inside[near] = np.abs(self._windings.winding_number(queries)) > 0.5
        return inside

    def nearest(self, points: Array) -> tuple[Array, Array]:
        """Distances of points (N, 3) float64 to the surface, (N,); normals there, (N, 3)."""
        squared, triangle, _ = self._tree.squared_distance(self.vertices, self.triangles, points)
        return np.sqrt(squared), self.normals[triangle]

    def samples(self, count: int, seed: int = 0) -> tuple[Array, Array]:
        """`count` points spread evenly by area, and their triangles' unit normals: (N, 3) each.

        Stratified: one point in each of `count` equal parts of the area, so seeds differ little.
        """
        if (count, seed) not in self._samples:
            self._samples[count, seed] = self._drawn(count, seed)
        return self._samples[count, seed]

    @cached_property
    def normals(self) -> Array:
        """(T, 3) unit normals of the triangles."""
        return self._crosses / np.maximum(self._doubled_areas[:, None], 1e-30)

    @cached_property
    def volume(self) -> float:
        """Signed volume in m³: positive for a closed mesh with outward triangles."""
        a, b, c = self._corners.swapaxes(0, 1)
        return float((np.cross(a, b) * c).sum() / 6)

    @cached_property
    def is_watertight(self) -> bool:
        """Whether every edge joins exactly two triangles, which run along it oppositely."""
        edges = self.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        forward = np.sort(edges[:, 0] << 32 | edges[:, 1])
        backward = np.sort(edges[:, 1] << 32 | edges[:, 0])
        if not len(edges) or (np.diff(forward) == 0).any():
            return False
        return np.array_equal(forward, backward)

    def _drawn(self, count: int, seed: int) -> tuple[Array, Array]:
        random = np.random.default_rng(seed)
        total = self._doubled_areas.cumsum()
        position = (np.arange(count) + random.random(count)) / count * total[-1]
        chosen = np.searchsorted(total, position, side="right").clip(max=len(total) - 1)
        root, share = np.sqrt(random.random((count, 1))), random.random((count, 1))
        a, b, c = self._corners[chosen].swapaxes(0, 1)
        points = (1 - root) * a + root * (1 - share) * b + root * share * c
        return points, self.normals[chosen]

    @cached_property
    def _corners(self) -> Array:
        return self.vertices[self.triangles]

    @cached_property
    def _crosses(self) -> Array:
        a, b, c = self._corners.swapaxes(0, 1)
        return np.cross(b - a, c - a)

    @cached_property
    def _doubled_areas(self) -> Array:
        return np.linalg.norm(self._crosses, axis=1)

    @cached_property
    def _windings(self) -> igl.FastWindingNumberBVH:
        tree = igl.FastWindingNumberBVH()
        tree.init(self.vertices, self.triangles)
        return tree

    @cached_property
    def _tree(self) -> igl.AABB:
        tree = igl.AABB()
        tree.init(self.vertices, self.triangles)
        return tree
