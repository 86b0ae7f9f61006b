"""How far a predicted hand is from the true one: IoU, Chamfer, F-score, normals, penetration.

All lengths are metres, all meshes (V, 3) vertices and (T, 3) triangles, counter-clockwise seen from
outside. Sampling is deterministic in its seed. The definitions are those of the occupancy-network
literature (Mescheder et al., CVPR 2019, and its successors): Chamfer-L1 is the mean of accuracy and
completeness, each a mean Euclidean distance to the other surface. One difference: distances go to
the nearest point of the other mesh's triangles, not to the nearest of its samples, so identical
meshes score 0 and not half the sample spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import igl
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Mesh(NamedTuple):
    """vertices (V, 3) metres, triangles (T, 3) counter-clockwise from outside."""

    vertices: Array
    triangles: NDArray[np.integer]


@dataclass(frozen=True)
class SurfaceScores:
    """chamfer, accuracy, completeness: metres; f_score, normal_consistency: higher is better."""

    chamfer: float
    accuracy: float
    completeness: float
    f_score: float
    normal_consistency: float


@dataclass(frozen=True)
class Penetration:
    """How far two meshes overlap: shared volume in m³, depth of the deepest vertex in metres."""

    volume: float
    depth: float


def iou(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union of two labellings of the same points; 1 when both are empty."""
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def contains(mesh: Mesh, points: Array) -> NDArray[np.bool_]:
    """Which points (N, 3) lie inside a closed mesh, by its winding number."""
    if not len(mesh.triangles) or not len(points):
        return np.zeros(len(points), bool)
    winding = igl.fast_winding_number(
        np.ascontiguousarray(mesh.vertices, np.float64),
        np.ascontiguousarray(mesh.triangles, np.int64),
        np.ascontiguousarray(points, np.float64),
    )
    return np.abs(winding) > 0.5


def sample_surface(mesh: Mesh, count: int, seed: int = 0) -> tuple[Array, Array]:
    """`count` points spread evenly by area, and their triangles' unit normals: (N, 3) float64 each.

    Stratified: one point in each of `count` equal parts of the area, so seeds differ little.
    """
    random = np.random.default_rng(seed)
    corners = np.asarray(mesh.vertices, np.float64)[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    total = area.cumsum()
    position = (np.arange(count) + random.random(count)) / count * total[-1]
    chosen = np.searchsorted(total, position, side="right").clip(max=len(area) - 1)
    root, share = np.sqrt(random.random((count, 1))), random.random((count, 1))
    a, b, c = corners[chosen].swapaxes(0, 1)
    points = (1 - root) * a + root * (1 - share) * b + root * share * c
    return points, normals[chosen] / np.maximum(area[chosen, None], 1e-30)


def surface_scores(
    predicted: Mesh, true: Mesh, samples: int = 10_000, tolerance: float = 0.005, seed: int = 0
) -> SurfaceScores:
    """Chamfer-L1, F-score at `tolerance` and normal consistency from samples of both surfaces.

    Raises ValueError for an empty mesh.
    """
    for name, mesh in (("predicted", predicted), ("true", true)):
        if not len(mesh.triangles):
            raise ValueError(f"the {name} mesh has no triangles; score reconstructed hands only")
    to_true, cosine_true = _to_surface(*sample_surface(predicted, samples, seed), true)
    to_predicted, cosine_predicted = _to_surface(
        *sample_surface(true, samples, seed + 1), predicted
    )
    precision, recall = (to_true <= tolerance).mean(), (to_predicted <= tolerance).mean()
    return SurfaceScores(
        chamfer=float(to_true.mean() + to_predicted.mean()) / 2,
        accuracy=float(to_true.mean()),
        completeness=float(to_predicted.mean()),
        f_score=float(2 * precision * recall / max(precision + recall, 1e-30)),
        normal_consistency=float(cosine_true.mean() + cosine_predicted.mean()) / 2,
    )


def _to_surface(points: Array, normals: Array, mesh: Mesh) -> tuple[Array, Array]:
    """Distance of points to a mesh, and the cosine of their normals with the nearest triangles'."""
    vertices = np.ascontiguousarray(mesh.vertices, np.float64)
    triangles = np.ascontiguousarray(mesh.triangles, np.int64)
    squared, nearest, _ = igl.point_mesh_squared_distance(points, vertices, triangles)
    corners = vertices[triangles[nearest]]
    other = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    other /= np.maximum(np.linalg.norm(other, axis=1, keepdims=True), 1e-30)
    return np.sqrt(squared), (normals * other).sum(1)


def penetration(first: Mesh, second: Mesh, spacing: float = 0.001) -> Penetration:
    """Overlap of two closed meshes: volume counted on a grid, depth at the deepest vertex."""
    low = np.maximum(first.vertices.min(0), second.vertices.min(0))
    high = np.minimum(first.vertices.max(0), second.vertices.max(0))
    if (low >= high).any():
        return Penetration(0.0, 0.0)
    axes = [np.arange(a + spacing / 2, b, spacing) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    shared = grid[contains(first, grid)]
    shared = shared[contains(second, shared)]
    depth = max(_deepest_vertex(first, second), _deepest_vertex(second, first))
    return Penetration(len(shared) * spacing**3, depth)


def _deepest_vertex(mesh: Mesh, other: Mesh) -> float:
    inside = np.ascontiguousarray(mesh.vertices[contains(other, mesh.vertices)], np.float64)
    if not len(inside):
        return 0.0
    distance, _ = _to_surface(inside, np.zeros_like(inside), other)
    return float(distance.max())


def volume(mesh: Mesh) -> float:
    """Signed volume in m³: positive for a closed mesh with outward triangles."""
    a, b, c = np.asarray(mesh.vertices, np.float64)[mesh.triangles].swapaxes(0, 1)
    return float((np.cross(a, b) * c).sum() / 6)


def is_watertight(mesh: Mesh) -> bool:
    """Does every edge join exactly two triangles, which run along it in opposite directions?"""
    edges = np.asarray(mesh.triangles)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    forward = np.sort(edges[:, 0] << 32 | edges[:, 1])
    backward = np.sort(edges[:, 1] << 32 | edges[:, 0])
    if not len(edges) or (np.diff(forward) == 0).any():
        return False
    return np.array_equal(forward, backward)
