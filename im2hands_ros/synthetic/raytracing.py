"""Rays against triangle meshes: nearest hits with interpolated vertex attributes, occlusion.

Embree does the intersections, one core, no GPU, no display. Everything is in the camera frame
(x right, y down, z forward), metres, float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from im2hands_ros.camera import Camera


class Surface(NamedTuple):
    """What light does at N points: linear albedo (N, 3), specular strength (N,), sharpness (N,)."""

    albedo: np.ndarray
    specular: np.ndarray
    sharpness: np.ndarray


Material = Callable[[np.ndarray], Surface]
"""Maps (N, C) interpolated vertex attributes to the Surface there."""


@dataclass(frozen=True)
class RenderPart:
    """One mesh to draw.

    Attributes:
        vertices: (V, 3) camera frame, metres.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.
        attributes: (V, C) whatever ``material`` reads; for plain parts the linear albedo.
        material: what the surface looks like.
        triangle_ids: (T,) int8 label written to the id map.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    attributes: np.ndarray
    material: Material
    triangle_ids: np.ndarray


def plain_part(
    vertices: np.ndarray, triangles: np.ndarray, colour: np.ndarray, part_id: int = 0
) -> RenderPart:
    """A part of one display colour ((3,) in [0, 1]) or one colour per vertex ((V, 3))."""
    albedo = np.broadcast_to(np.asarray(colour, np.float32) ** 2, (len(vertices), 3))
    ids = np.full(len(triangles), part_id, np.int8)
    return RenderPart(vertices, triangles, albedo, _matte, ids)


def _matte(attributes: np.ndarray) -> Surface:
    count = len(attributes)
    return Surface(attributes, np.full(count, 0.08, np.float32), np.full(count, 24, np.float32))


class Hits(NamedTuple):
    """N surface points: position, unit normal, unit direction to the camera, where on the mesh."""

    position: np.ndarray
    normal: np.ndarray
    view: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray

    def select(self, chosen: np.ndarray) -> Hits:
        """The chosen hits only (boolean mask or indices)."""
        return Hits(*(field[chosen] for field in self))


class Cast(NamedTuple):
    """What N rays met: triangle (-1: nothing), barycentric u, v, and distance along the ray."""

    triangle: np.ndarray
    u: np.ndarray
    v: np.ndarray
    distance: np.ndarray

    @property
    def hit(self) -> np.ndarray:
        """(N,) bool."""
        return self.triangle >= 0


class RayScene:
    """All parts in one acceleration structure."""

    def __init__(self, parts: list[RenderPart]) -> None:
        self.parts = parts
        offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
        self.vertices = np.concatenate([p.vertices for p in parts]).astype(np.float32)
        self.triangles = np.concatenate(
            [part.triangles + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
        ).astype(np.int32)
        self.first_vertex = offsets
        self.part_of = np.repeat(np.arange(len(parts)), [len(p.triangles) for p in parts])
        self.ids = np.concatenate([part.triangle_ids for part in parts])
        self.normals = vertex_normals(self.vertices, self.triangles)
        self._scene = EmbreeScene()
        self._mesh = TriangleMesh(self._scene, self.vertices, self.triangles)

    def cast(self, directions: np.ndarray) -> Cast:
        """Nearest hits of rays from the camera centre along (N, 3) directions."""
        origins = np.zeros_like(directions)
        met = self._scene.run(origins, directions, output=True)
        return Cast(met["primID"], met["u"], met["v"], met["tfar"])

    def occluded(self, origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
        """(N,) bool: whether anything lies within ``reach`` metres along each unit ray."""
        if not len(origins):
            return np.zeros(0, bool)
        limits = np.full(len(origins), reach, np.float32)
        return self._scene.run(origins, directions, limits, query="OCCLUDED") >= 0

    def surface_points(self, directions: np.ndarray, cast: Cast) -> Hits:
        """Positions and smooth normals of rays that all hit something."""
        weights = np.stack([1 - cast.u - cast.v, cast.u, cast.v], axis=1)
        position = directions * cast.distance[:, None]
        normal = normalised(_blend(self.normals, self.triangles[cast.triangle], weights))
        return Hits(position, normal, -normalised(directions), cast.triangle, weights)

    def surfaces(self, hits: Hits) -> Surface:
        """Evaluate every part's material at its hits."""
        count = len(hits.triangle)
        out = Surface(np.empty((count, 3), np.float32), *np.empty((2, count), np.float32))
        part_of_hit = self.part_of[hits.triangle]
        for index, part in enumerate(self.parts):
            chosen = np.flatnonzero(part_of_hit == index)
            if not len(chosen):
                continue
            corners = self.triangles[hits.triangle[chosen]] - self.first_vertex[index]
            surface = part.material(_blend(part.attributes, corners, hits.weights[chosen]))
            for target, value in zip(out, surface, strict=True):
                target[chosen] = value
        return out


def _blend(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, C) barycentric mix of per-vertex values at (N, 3) corners."""
    mixed = values[corners[:, 0]] * weights[:, :1]
    mixed += values[corners[:, 1]] * weights[:, 1:2]
    mixed += values[corners[:, 2]] * weights[:, 2:]
    return mixed


def normalised(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) scaled to unit length; zero vectors stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return vectors / np.maximum(length, 1e-12)[:, None]


def pixel_rays(camera: Camera, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(N, 3) float32 directions with z = 1 through pixels (u, v)."""
    x = (u - camera.cx) / camera.fx
    y = (v - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32 area-weighted unit normals, outward for counter-clockwise triangles."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    face = np.cross(b - a, c - a)
    flat = np.concatenate([triangles[:, 0], triangles[:, 1], triangles[:, 2]])
    summed = np.stack(
        [np.bincount(flat, np.tile(face[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return normalised(summed).astype(np.float32)
