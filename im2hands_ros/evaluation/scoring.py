"""From predictions to scores of hands and scenes, and from those to the means of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.inputs import EvaluationInput, own_joints
from im2hands_ros.evaluation.methods import PredictedHand, Prediction
from im2hands_ros.evaluation.metrics import iou, surface_scores
from im2hands_ros.evaluation.penetration import penetration
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Sample, present

SUBSETS = ("interacting", "apart", "single")
# Samples of each surface; enough for 0.01 mm of the mean Chamfer distance over 200 scenes.
SURFACE_SAMPLES = 5000
PENETRATION_SPACING = 0.002
# One value per scene; the rest has one per hand, or per pair of hands.
FRAME_MS = "frame_ms"
_MILLIMETRES, _CUBIC_CENTIMETRES = 1e3, 1e6
Scores = dict[str, list[float]]


@dataclass(frozen=True)
class TrueHand:
    """What a hand is compared with; metres, camera frame.

    labels (N,): which of the points a method labels lie inside. keypoints (21, 3).
    """

    mesh: MeshQueries
    labels: NDArray[np.bool_]
    keypoints: NDArray[np.floating]


class SceneScores(NamedTuple):
    """A scene's subset, its scores in one configuration, and the time of each stage."""

    subset: str
    scores: Scores
    stages_ms: dict[str, float]


def subset_of(sample: Sample) -> str:
    """The sample's subset, left and right single hands together."""
    return sample.subset.partition("_")[0]


def true_hands(
    sample: Sample, near: int, offsets: NDArray[np.float64] | None = None
) -> dict[str, TrueHand]:
    """The sample's hands; `near`: how many of its points, from the first, methods are not given;
    `offsets`: as `input_of` takes them.

    Their trees and samples serve every method: make them once per sample.
    """
    occupancy = present(sample.occupancy)
    return {
        side: TrueHand(MeshQueries(sample.mesh_of(side)), occupancy[side][near:], joints)
        for side, joints in present(own_joints(sample.keypoints, offsets)).items()
    }


def score_prediction(
    true: dict[str, TrueHand], given: EvaluationInput, prediction: Prediction
) -> Scores:
    """Scores by name: one value per true hand, for two hands one of their penetration, one time."""
    scores: Scores = defaultdict(list)
    points = present(given.points)
    found = present({side: hand.mesh for side, hand in prediction.hands.items()})
    meshes = {side: MeshQueries(mesh) for side, mesh in found.items() if side in true}
    for side, hand in true.items():
        predicted = prediction.hands.get(side)
        for name, value in (
            _keypoint_scores(hand, given.keypoints[side], predicted)
            | _shape_scores(hand, points[side], predicted, meshes.get(side))
        ).items():
            scores[name].append(value)
    if len(meshes) == 2:
        overlap = penetration(meshes["left"], meshes["right"], PENETRATION_SPACING)
        scores["penetration_cm3"].append(overlap.volume * _CUBIC_CENTIMETRES)
        scores["penetration_mm"].append(overlap.depth * _MILLIMETRES)
    return dict(scores) | {FRAME_MS: [prediction.frame_ms]}


def _keypoint_scores(
    true: TrueHand, given: NDArray[np.floating] | None, predicted: PredictedHand | None
) -> dict[str, float]:
    """Mean distance of joints to the true ones, millimetres: as given, and what became of them."""
    compared = {"keypoints_in_mm": given}
    if predicted is not None:
        compared["keypoints_out_mm"] = predicted.keypoints
    return {
        name: float(np.linalg.norm(joints - true.keypoints, axis=1).mean()) * _MILLIMETRES
        for name, joints in compared.items()
        if joints is not None
    }


def _shape_scores(
    true: TrueHand,
    points: NDArray[np.floating],
    predicted: PredictedHand | None,
    mesh: MeshQueries | None,
) -> dict[str, float]:
    """A hand without a mesh has IoU 0 and no other scores; without a field, its mesh's IoU."""
    mesh_iou = 0.0 if mesh is None else iou(mesh.contains(points), true.labels)
    field = None if predicted is None else predicted.inside
    scores = {
        "found": float(mesh is not None),
        "iou": mesh_iou,
        "iou_field": mesh_iou if field is None else iou(field, true.labels),
    }
    if mesh is None:
        return scores
    surface = surface_scores(mesh, true.mesh, SURFACE_SAMPLES)
    return scores | {
        "chamfer_mm": surface.chamfer * _MILLIMETRES,
        "f5": surface.f_score,
        "normal_consistency": surface.normal_consistency,
        "watertight": float(mesh.is_watertight and mesh.volume > 0),
    }


def summarise(scored: Iterable[SceneScores]) -> dict[str, dict[str, float]]:
    """Scores of scenes to the means of every score by subset and over "all".

    Of times it is the median: the first frames take longer, and a busy machine adds others.
    """
    collected: dict[str, Scores] = defaultdict(lambda: defaultdict(list))
    for subset, scores, _ in scored:
        for name, values in scores.items():
            collected[subset][name] += values
            collected["all"][name] += values
    return {
        subset: {"hands": len(collected[subset]["iou"])}
        | {name: _middle(name, values) for name, values in collected[subset].items()}
        for subset in (*SUBSETS, "all")
        if subset in collected
    }


def mean_stages(scored: Iterable[SceneScores]) -> dict[str, float]:
    """Mean milliseconds per frame of every stage."""
    collected: dict[str, list[float]] = defaultdict(list)
    for scene in scored:
        for stage, milliseconds in scene.stages_ms.items():
            collected[stage].append(milliseconds)
    return {stage: round(float(np.mean(values)), 2) for stage, values in collected.items()}


def _middle(name: str, values: list[float]) -> float:
    middle = np.median if name == FRAME_MS else np.mean
    return round(float(middle(values)), 5)
