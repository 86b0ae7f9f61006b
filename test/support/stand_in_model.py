"""A model that knows the truth of a few samples: stages with an effect that can be told apart.

Shapes are capsules on the keypoints; refined keypoints are half as wrong as those given, and the
refined occupancy is the true hand. What the interface of `Im2Hands` and its `Scene` promises, no
more of it than the evaluation needs.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.evaluation.baselines.capsule_hand import CapsuleHand
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh, Sample

STAGES = ("initial", "refinement", "keypoints")


class StandInModel:
    """Answers for the given samples as a model with these stages would."""

    def __init__(self, samples: list[Sample], stages: tuple[str, ...] = STAGES) -> None:
        self.stages, self.device, self.record = stages, torch.device("cpu"), {"made": "by hand"}
        self._samples, self._runs = samples, set(stages)
        self.encoded: list[tuple[str, ...]] = []
        self.depths: list[np.ndarray | None] = []

    refine_keypoints = property(
        lambda self: "keypoints" in self._runs, lambda self, on: self._choose("keypoints", on)
    )
    refine_occupancy = property(
        lambda self: "refinement" in self._runs, lambda self, on: self._choose("refinement", on)
    )

    def _choose(self, stage: str, on: bool) -> None:
        if on and stage not in self.stages:
            raise ValueError(f"stand-in.safetensors has no stage '{stage}'")
        self._runs = self._runs | {stage} if on else self._runs - {stage}

    def warm_up(self, resolution: int = 64) -> None:
        """Nothing to warm."""

    def encode(
        self, image: np.ndarray, keypoints: dict, camera: Camera, depth: np.ndarray | None = None
    ) -> StandInScene:
        """The scene of the sample that this camera took."""
        sample = next(sample for sample in self._samples if sample.camera == camera)
        self.encoded.append(tuple(stage for stage in STAGES if stage in self._runs))
        self.depths.append(depth)
        return StandInScene(sample, keypoints, self._runs)


class StandInScene:
    """One encoded frame."""

    def __init__(self, sample: Sample, keypoints: dict, runs: set[str]) -> None:
        self._sample, self._is_true = sample, "refinement" in runs
        self._timings = dict.fromkeys(runs, 1.0)
        share = 0.5 if "keypoints" in runs else 1.0
        self.keypoints = {
            side: None if joints is None else _towards(sample.keypoints[side], joints, share)
            for side, joints in keypoints.items()
        }
        self.left, self.right = (
            None
            if self.keypoints[side] is None
            else SimpleNamespace(occupancy=lambda points, side=side: self._occupancy(side, points))
            for side in SIDES
        )

    def reconstruct(self, resolution: int, voxel_size: float) -> SimpleNamespace:
        """Meshes of the present hands."""
        hands = {
            side: None if joints is None else SimpleNamespace(**self._mesh(side)._asdict())
            for side, joints in self.keypoints.items()
        }
        return SimpleNamespace(**hands, timings_ms=self._timings)

    def _mesh(self, side: str) -> Mesh:
        if self._is_true:
            return self._sample.mesh_of(side)
        return CapsuleHand(self.keypoints[side]).mesh(32)

    def _occupancy(self, side: str, points: np.ndarray) -> np.ndarray:
        if self._is_true:
            return MeshQueries(self._mesh(side)).contains(points).astype(np.float32)
        return CapsuleHand(self.keypoints[side]).occupancy(points)


def _towards(true: np.ndarray | None, given: np.ndarray, share: float) -> np.ndarray:
    return given if true is None else (true + share * (given - true)).astype(np.float32)
