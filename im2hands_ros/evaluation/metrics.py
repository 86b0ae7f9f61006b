"""How far a predicted hand is from the true one: IoU, Chamfer, F-score, normals, watertightness.

All lengths are metres, all meshes (V, 3) vertices and (T, 3) triangles, counter-clockwise seen from
outside. Sampling is deterministic in its seed. The definitions are those of the occupancy-network
literature (Mescheder et al., CVPR 2019, and its successors): Chamfer-L1 is the mean of accuracy and
completeness, each a mean Euclidean distance to the other surface. One difference: distances go to
the nearest point of the other mesh's triangles, not to the nearest of its samples, so identical
meshes score 0 and not half the sample spacing.

Whoever scores a mesh more than once gives its `MeshQueries`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.synthetic.mesh_queries import Array, MeshQueries
from im2hands_ros.synthetic.sample import Mesh


@dataclass(frozen=True)
class SurfaceScores:
    """chamfer, accuracy, completeness: metres; f_score, normal_consistency: higher is better."""

    chamfer: float
    accuracy: float
    completeness: float
    f_score: float
    normal_consistency: float


def iou(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union of two labellings of the same points; 1 when both are empty."""
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def surface_scores(
    predicted: Mesh | MeshQueries,
    true: Mesh | MeshQueries,
    samples: int = 10_000,
    tolerance: float = 0.005,
    seed: int = 0,
) -> SurfaceScores:
    """Chamfer-L1, F-score at `tolerance` and normal consistency from samples of both surfaces.

    Raises ValueError for an empty mesh.
    """
    predicted, true = MeshQueries.of(predicted), MeshQueries.of(true)
    for name, mesh in (("predicted", predicted), ("true", true)):
        if not len(mesh.triangles):
            raise ValueError(f"the {name} mesh has no triangles; score reconstructed hands only")
    to_true, cosine_true = _to_surface(*predicted.samples(samples, seed), true)
    to_predicted, cosine_predicted = _to_surface(*true.samples(samples, seed + 1), predicted)
    precision, recall = (to_true <= tolerance).mean(), (to_predicted <= tolerance).mean()
    return SurfaceScores(
        chamfer=float(to_true.mean() + to_predicted.mean()) / 2,
        accuracy=float(to_true.mean()),
        completeness=float(to_predicted.mean()),
        f_score=float(2 * precision * recall / max(precision + recall, 1e-30)),
        normal_consistency=float(cosine_true.mean() + cosine_predicted.mean()) / 2,
    )


def _to_surface(points: Array, normals: Array, mesh: MeshQueries) -> tuple[Array, Array]:
    """Distance of points to a mesh, and the cosine of their normals with the nearest triangles'."""
    distance, other = mesh.nearest(points)
    return distance, (normals * other).sum(1)
