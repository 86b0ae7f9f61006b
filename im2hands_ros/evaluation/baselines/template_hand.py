"""The template baseline: the mean hand, scaled and posed so that its keypoints meet the given ones.

What a skinned model without learning gives: pose, rotation, translation and one scale fitted by
least squares, shape left at the mean. Needs no image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.sample import Mesh

STEPS = 250
LEARNING_RATE = 0.05
# Weight of bent joints against squared keypoint errors: 1 rad weighs as much as 1 mm. Keeps noise
# from bending what it can; more of it costs accuracy on exact keypoints.
POSE_PENALTY = 1e-6


@dataclass(frozen=True)
class FittedHands:
    """Meshes of B hands with one topology per side, and their keypoints (B, 21, 3)."""

    meshes: list[Mesh]
    keypoints: NDArray[np.float32]


class TemplateHand:
    """Fits the packaged hand to keypoints; all given hands at once. Deterministic."""

    def __init__(self, model: BakedHand | None = None) -> None:
        self._model = BakedHand.load() if model is None else model
        self._low, self._high = self._model.pose_limits

    def fit(self, keypoints: NDArray[np.floating], sides: list[str]) -> FittedHands:
        """Fit B hands.

        keypoints (B, 21, 3) MANO order, metres, any frame; sides: "left" or "right" for each.
        Returns meshes in the same frame, counter-clockwise from outside.
        """
        mirror = torch.tensor([[[-1.0 if side == "left" else 1.0, 1, 1]] for side in sides])
        target = torch.as_tensor(np.asarray(keypoints), dtype=torch.float32) * mirror
        pose, rotation, translation = self._solve(target)
        shape = torch.zeros(len(target), self._model.shape_dims)
        with torch.no_grad():
            posed = self._model.pose(pose, shape, rotation, translation, "right")
        keypoints, surfaces = ((part * mirror).numpy() for part in (posed.keypoints, posed.surface))
        meshes = [
            Mesh(vertices, self._model.triangles_of(side))
            for vertices, side in zip(surfaces, sides, strict=True)
        ]
        return FittedHands(meshes, keypoints)

    def _solve(self, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose (B, 60), scaled rotation (B, 3, 3) and translation (B, 3) that fit best.

        Gradient steps move the pose alone; after each the best similarity is found in closed form,
        so the gradient of the remaining error needs no term for it.
        """
        shape = torch.zeros(len(target), self._model.shape_dims)
        pose = torch.zeros(len(target), self._model.pose_dims, requires_grad=True)
        optimiser = torch.optim.Adam([pose], lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for _ in range(STEPS):
            keypoints = self._model.rest_frame_keypoints(pose, shape)
            rotation, translation = similarity(keypoints.detach(), target)
            error = (keypoints @ rotation.mT + translation[:, None] - target).square().sum(-1)
            loss = (error.mean(1) + POSE_PENALTY * pose.square().sum(1)).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                pose.clamp_(self._low, self._high)
        pose = pose.detach()
        return pose, *similarity(self._model.rest_frame_keypoints(pose, shape), target)


def similarity(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled rotation (B, 3, 3) and translation (B, 3) that bring source (B, N, 3) nearest target.

    Least squares in closed form (Umeyama, PAMI 1991); never a reflection.
    """
    source_mean, target_mean = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    centred = source - source_mean
    left, singular, right = torch.linalg.svd((target - target_mean).mT @ centred)
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.det(left @ right).sign()
    scale = (singular * sign).sum(1) / centred.square().sum((1, 2)).clamp_min(1e-12)
    rotation = scale[:, None, None] * (left * sign[:, None]) @ right
    return rotation, (target_mean - source_mean @ rotation.mT)[:, 0]
