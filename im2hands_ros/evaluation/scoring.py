"""From estimates to scores of hands and scenes, and from those to the rows of a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.methods import Case, Estimates
from im2hands_ros.evaluation.metrics import (
    Mesh,
    contains,
    iou,
    is_watertight,
    surface_scores,
    volume,
)
from im2hands_ros.evaluation.penetration import penetration
from im2hands_ros.synthetic.sample import Sample

SUBSETS = ("interacting", "apart", "single")
# Samples of each surface; enough for 0.01 mm of the mean Chamfer distance over 200 scenes.
SURFACE_SAMPLES = 5000
PENETRATION_SPACING = 0.002
_MILLIMETRES, _CUBIC_CENTIMETRES = 1e3, 1e6


@dataclass(frozen=True)
class Condition:
    """One line of the evaluation: a method and the noise on its keypoints, millimetres."""

    method: str
    noise_mm: float


def subset_of(sample: Sample) -> str:
    """The sample's subset, left and right single hands together."""
    return sample.subset.partition("_")[0]


def case_of(sample: Sample, noise_mm: float, near: int) -> Case:
    """What a method is given of a sample.

    noise_mm: standard deviation of Gaussian noise on every keypoint coordinate; depends on the
        sample's seed and the level alone. near: how many points, from the first, to leave out.
    """
    random = np.random.default_rng((sample.seed, round(noise_mm * 1000)))
    keypoints: dict[str, NDArray[np.floating] | None] = {}
    for side, joints in sample.keypoints.items():
        noise = random.standard_normal((21, 3)) * noise_mm / _MILLIMETRES
        keypoints[side] = None if joints is None else (joints + noise).astype(np.float32)
    points = {side: None if p is None else p[near:] for side, p in sample.points.items()}
    return Case(sample.image, sample.camera, keypoints, points)


def score_sample(sample: Sample, case: Case, estimates: Estimates) -> dict[str, list[float]]:
    """Scores by name: one value per hand, and for two hands one of their penetration."""
    scores: dict[str, list[float]] = defaultdict(list)
    for side in case.sides:
        for name, value in _hand_scores(sample, case, estimates, side).items():
            scores[name].append(value)
    meshes = [estimates[side].mesh for side in case.sides]
    if len(meshes) == 2 and meshes[0] is not None and meshes[1] is not None:
        overlap = penetration(meshes[0], meshes[1], PENETRATION_SPACING)
        scores["penetration_cm3"].append(overlap.volume * _CUBIC_CENTIMETRES)
        scores["penetration_mm"].append(overlap.depth * _MILLIMETRES)
    return dict(scores)


def _hand_scores(sample: Sample, case: Case, estimates: Estimates, side: str) -> dict[str, float]:
    points = case.points[side]
    labels = sample.occupancy[side][-len(points) :]
    estimate = estimates[side]
    scores = {"found": float(estimate.mesh is not None), "iou_field": iou(estimate.inside, labels)}
    if estimate.mesh is None:
        return scores | {"iou": 0.0}
    true = Mesh(sample.meshes[side], sample.triangles_of(side))
    surface = surface_scores(estimate.mesh, true, SURFACE_SAMPLES)
    return scores | {
        "iou": iou(contains(estimate.mesh, points), labels),
        "chamfer_mm": surface.chamfer * _MILLIMETRES,
        "f5": surface.f_score,
        "normal_consistency": surface.normal_consistency,
        "watertight": float(is_watertight(estimate.mesh) and volume(estimate.mesh) > 0),
    }


def summarise(scored: Iterable[tuple[str, dict[str, list[float]]]]) -> dict[str, dict[str, float]]:
    """(subset, scores) of scenes to the means of every score by subset and over "all"."""
    collected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for subset, scores in scored:
        for name, values in scores.items():
            collected[subset][name] += values
            collected["all"][name] += values
    return {
        subset: {"hands": len(collected[subset]["iou"])}
        | {name: round(float(np.mean(values)), 5) for name, values in collected[subset].items()}
        for subset in (*SUBSETS, "all")
        if subset in collected
    }
