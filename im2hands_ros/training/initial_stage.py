"""The stage ``initial``: the initial occupancy network, trained from nothing or further."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.networks.compact.articulated_decoder import DEPTH_UNIT
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.networks import CompactNetworks, under
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.training.augmentation import exact_and_noisy
from im2hands_ros.training.batches import (
    CROP_MARGIN,
    Batch,
    BatchPlan,
    collate,
    draw_batch,
    example_of,
)
from im2hands_ros.training.losses import (
    depth_loss,
    joint_loss,
    joint_targets,
    mask_loss,
    occupancy_loss,
    shape_loss,
)
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stage import Term

# Validation: noise of the keypoints in metres, scenes, near points and volume points a hand.
_NOISE = 0.01
_SCENES, _CHUNK_SCENES = 64, 8
_NEAR, _VOLUME = 512, 4096


class InitialStage:
    """Occupancy of each hand from its coarse keypoints and the image."""

    name = "initial"

    def __init__(self, plan: TrainingPlan, weights: Path | None, device: torch.device) -> None:
        network = InitialOccupancy(COMPACT.initial)
        if weights is not None:
            network = CompactNetworks.load(weights)[0].initial
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self.frozen: Mapping[str, nn.Module] = {}
        self.loss_weights = plan.losses
        self._plan, self._device = plan.batches, device

    def draw(self, folder: SceneFolder, step: int, part: slice) -> Batch:
        """Scenes of a step's batch."""
        return draw_batch(folder, self._plan, step, part)

    def losses(self, batch: Batch) -> dict[str, Term]:
        """Depth and occupancy at the query points; with an image, masks and joints in it."""
        hands = canonicalise(batch.keypoints, batch.mirrored)
        if not len(batch.image):
            decoder, points = self.network.decoder, hands.palm_from_camera(batch.points)
            logits = decoder(points, decoder.bones(hands), image=None)
            return _occupancy_terms(logits, batch) | self._shape_term(hands, batch)
        features = self.network.encoder(batch.image.to(memory_format=torch.channels_last))
        return self.terms_of(features, hands, batch)

    def terms_of(
        self, features: ImageFeatures, hands: CanonicalHands, batch: Batch
    ) -> dict[str, Term]:
        """Losses of the batch's hands, canonicalised, with the features of its images."""
        context = self.network.context(features, batch.image_index, batch.intrinsics, hands)
        points = hands.palm_from_camera(batch.points)
        terms = _occupancy_terms(self.network(points, context), batch)
        terms |= self._shape_term(hands, batch)
        masks = self.network.encoder.masks(features)
        terms["mask"] = Term(mask_loss(masks, batch.mask), batch.mask.numel())
        heat, pixels, inside = joint_targets(features.joints, batch)
        terms["joints"] = Term(joint_loss(heat, pixels, inside), int(inside.sum()))
        return terms

    def _shape_term(self, hands: CanonicalHands, batch: Batch) -> dict[str, Term]:
        decoder = self.network.decoder
        return {"hand_shape": shape_loss(decoder.shape_head(decoder.hand_code(hands)), batch.shape)}

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """IoU on volume points with true and noisy keypoints; depth error near the skin, mm."""
        iou, near = self._score(folder, noise=0.0, use_image=True)
        keypoints_only, _ = self._score(folder, noise=0.0, use_image=False)
        noisy, _ = self._score(folder, noise=_NOISE, use_image=True)
        return {
            "iou": iou,
            "iou_without_image": keypoints_only,
            "iou_noisy": noisy,
            "depth_mm": near,
            "selection": (1 - iou) + 0.25 * (1 - noisy),
        }

    def weights(self) -> dict[str, Tensor]:
        """The network's state, as ``Im2Hands.load`` reads it."""
        return under(self.name, self.network)

    @torch.no_grad()
    def _score(self, folder: SceneFolder, noise: float, use_image: bool) -> tuple[float, float]:
        ious, errors = [], []
        count = min(_SCENES, len(folder))
        for first in range(0, count, _CHUNK_SCENES):
            chunk = range(first, min(first + _CHUNK_SCENES, count))
            batch = _exact_batch(folder, chunk, self._plan, noise).to(self._device)
            logits = self._logits(batch, use_image)
            inside, true = logits[:, _NEAR:] > 0, batch.depth[:, _NEAR:] > 0
            ious.append((inside & true).sum(1) / (inside | true).sum(1).clamp_min(1))
            near = batch.depth[:, :_NEAR]
            errors.append((logits[:, :_NEAR] - near / DEPTH_UNIT).abs()[near.abs() < 0.005])
        return float(torch.cat(ious).mean()), float(torch.cat(errors).mean())

    def _logits(self, batch: Batch, use_image: bool) -> Tensor:
        network = self.network
        hands = canonicalise(batch.keypoints, batch.mirrored)
        features = network.encoder(batch.image)
        context = network.context(features, batch.image_index, batch.intrinsics, hands)
        return network(hands.palm_from_camera(batch.points), context, use_image)


def _occupancy_terms(logits: Tensor, batch: Batch) -> dict[str, Term]:
    count = batch.depth.numel()
    return {
        "depth_mm": Term(depth_loss(logits, batch.depth), count),
        "occupancy": Term(occupancy_loss(logits, batch.depth), count),
    }


def _exact_batch(folder: SceneFolder, chunk: range, plan: BatchPlan, noise: float) -> Batch:
    """Scenes as they are but for noise on the keypoints; near points first, then volume points."""
    examples = []
    for index in chunk:
        scene = folder[index]
        _, coarse = exact_and_noisy(scene.keypoints, noise, np.random.default_rng(index))
        examples.append(example_of(scene, coarse, plan.image_size, CROP_MARGIN))
    batch = collate(examples)
    # Shards list near-surface points first and volume points last.
    points, depth = (
        torch.cat([values[:, :_NEAR], values[:, -_VOLUME:]], dim=1)
        for values in (batch.points, batch.depth)
    )
    return batch._replace(points=points, depth=depth)
