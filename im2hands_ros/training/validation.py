"""Validation during training: IoU on volume points, with true and with noisy keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.articulated_decoder import DEPTH_UNIT
from im2hands_ros.networks.initial_occupancy import InitialOccupancy
from im2hands_ros.training.augmentation import KeypointErrors, disturb
from im2hands_ros.training.batches import CROP_MARGIN, BatchPlan, SceneFolder, collate, view_of

_NOISE = 0.01
_CHUNK_SCENES = 8
_SCENES = 64
_POINTS = 4096


@dataclass(frozen=True)
class ValidationScores:
    """Means over hands: IoU on volume points; depth error in mm on points near the skin."""

    iou: float
    iou_without_image: float
    iou_noisy: float
    depth_mm: float

    @property
    def selection(self) -> float:
        """What a better network has less of."""
        return (1 - self.iou) + 0.25 * (1 - self.iou_noisy)


def validate(
    network: InitialOccupancy, scenes: SceneFolder, plan: BatchPlan, device: torch.device
) -> ValidationScores:
    """Score the network on the first scenes of a folder; deterministic."""
    iou, near = _score(network, scenes, plan, device, noise=0.0, use_image=True)
    blind, _ = _score(network, scenes, plan, device, noise=0.0, use_image=False)
    noisy, _ = _score(network, scenes, plan, device, noise=_NOISE, use_image=True)
    return ValidationScores(*(round(v, 4) for v in (iou, blind, noisy, near)))


@torch.no_grad()
def _score(
    network: InitialOccupancy,
    scenes: SceneFolder,
    plan: BatchPlan,
    device: torch.device,
    noise: float,
    use_image: bool,
) -> tuple[float, float]:
    network.eval()
    ious, errors = [], []
    count = min(_SCENES, len(scenes))
    for first in range(0, count, _CHUNK_SCENES):
        views = []
        for index in range(first, min(first + _CHUNK_SCENES, count)):
            scene = scenes[index]
            rng = np.random.default_rng(index)
            coarse = _noisy(scene.keypoints, noise, rng)
            views.append(view_of(scene, coarse, plan.image_size, CROP_MARGIN))
        batch = collate(views).to(device)
        hands = canonicalise(batch.keypoints, batch.mirrored)
        context = network.context(
            network.encoder(batch.image), batch.image_index, batch.intrinsics, hands
        )
        # Shards list near-surface points first and volume points last.
        points = torch.cat([batch.points[:, :512], batch.points[:, -_POINTS:]], dim=1)
        depth = torch.cat([batch.depth[:, :512], batch.depth[:, -_POINTS:]], dim=1)
        logits = network(hands.palm_from_camera(points), context, use_image)
        inside, true = logits[:, 512:] > 0, depth[:, 512:] > 0
        ious.append((inside & true).sum(1) / (inside | true).sum(1).clamp_min(1))
        error = (logits[:, :512] - depth[:, :512] / DEPTH_UNIT).abs()
        errors.append(error[depth[:, :512].abs() < 0.005])
    return float(torch.cat(ious).mean()), float(torch.cat(errors).mean())


def _noisy(
    keypoints: dict[str, np.ndarray], sigma: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    none = KeypointErrors(convention_share=0, noise_share=0)
    exact = disturb(keypoints, none, rng)
    return {s: (x + rng.normal(0, sigma, x.shape)).astype(np.float32) for s, x in exact.items()}
