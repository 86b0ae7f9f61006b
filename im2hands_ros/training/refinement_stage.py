"""The stage ``refinement``: two-hand interaction refinement on top of the earlier stages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.networks.compact.refined_occupancy import RefinedContext, RefinedOccupancy
from im2hands_ros.training.batches import Batch
from im2hands_ros.training.keypoint_stage import KeypointPlan, shape_keypoints
from im2hands_ros.training.losses import depth_loss, occupancy_loss
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stage import Term
from im2hands_ros.training.tracked_batches import TrackedBatch, draw_tracked, noisy_batch

_SCENES, _CHUNK_SCENES = 64, 8
_VOLUME = 4096
_NOISE = 0.01
# Of the query points, for the penetration: both hands are evaluated at each.
_EVERY = 4
_SCORES = ("iou", "iou_initial", "shared", "shared_initial")


class RefinementStage:
    """Refined occupancy; needs weights of ``initial``, and uses ``keypoints`` if it has any."""

    name = "refinement"

    def __init__(self, plan: KeypointPlan, weights: Path | None, device: torch.device) -> None:
        if weights is None:
            raise ValueError("the stage refinement builds on the stage initial: give --weights")
        drawing = plan.batches
        if drawing.keypoint_only_steps or drawing.image_share < 1:
            raise ValueError(
                f"keypoint_only_steps is {drawing.keypoint_only_steps} and image_share "
                f"{drawing.image_share}: the stage refinement has no steps without images, give 0 "
                "and 1"
            )
        self._networks, _ = CompactNetworks.load(weights)
        if self._networks.refinement is None:
            encoder = COMPACT.initial.encoder
            self._networks.refinement = RefinedOccupancy(COMPACT.refinement, encoder)
        self.network: RefinedOccupancy = self._networks.refinement.to(device)
        self._initial = self._networks.initial
        self.frozen: Mapping[str, nn.Module] = {"initial": self._initial}
        if self._networks.keypoints is not None:
            self.frozen = {**self.frozen, "keypoints": self._networks.keypoints}
        self.loss_weights = plan.losses
        self._plan, self._device = plan, device

    def draw(self, folder: SceneFolder, step: int, part: slice) -> TrackedBatch:
        """Scenes of a step's batch."""
        return draw_tracked(folder, self._plan.batches, self._plan.tracker, step, part)

    def losses(self, batch: TrackedBatch) -> dict[str, Term]:
        """Depth and occupancy at the hands' own points; how far both hands overlap."""
        context = self._context(batch)
        points = context.hands.palm_from_camera(batch.hands.points)
        logits = self.network(points, context)
        count = logits.numel()
        return {
            "depth_mm": Term(depth_loss(logits, batch.hands.depth), count),
            "occupancy": Term(occupancy_loss(logits, batch.hands.depth), count),
            "penetration": self._penetration(points[:, ::_EVERY], context),
        }

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """IoU on volume points after and before refinement, for true and noisy keypoints; how many
        thousandths of a hand's volume lie in the other hand as well."""
        scores: dict[str, float] = {}
        for suffix, sigma in (("", 0.0), ("_noisy", _NOISE)):
            for name, value in self._score(folder, sigma).items():
                scores[name + suffix] = value
        scores["selection"] = (1 - scores["iou"]) + 0.25 * (1 - scores["iou_noisy"])
        return scores

    def weights(self) -> dict[str, Tensor]:
        """All stages: a complete file."""
        return dict(self._networks.state_dict())

    def _context(self, batch: TrackedBatch) -> RefinedContext:
        with torch.no_grad():
            image = batch.hands.image.to(memory_format=torch.channels_last)
            features = self._initial.encoder(image)
            joints = batch.hands.keypoints
            if self._networks.keypoints is not None:
                refined = self._networks.keypoints(features, batch.coarse, batch.swapped)
                joints = shape_keypoints(batch, refined, self._plan.refined_share)
            hands = canonicalise(joints, batch.hands.mirrored)
            initial = self._initial.context(
                features, batch.hands.image_index, batch.hands.intrinsics, hands
            )
        partner, accompanied = partners_of(batch.hands)
        return self.network.context(initial, partner, accompanied)

    def _penetration(self, points: Tensor, context: RefinedContext) -> Term:
        """Mean depth, millimetres, of what lies in both hands, before they are separated."""
        own = self.network.corrected(points, context.initial.logits(points), context.memory)
        depth = own.minimum(self.network.partner_depth(points, context))
        disputed = depth > 0
        count = int(disputed.sum())
        return Term((depth * disputed).sum() / max(count, 1), count)

    @torch.no_grad()
    def _score(self, folder: SceneFolder, sigma: float) -> dict[str, float]:
        rows: dict[str, list[Tensor]] = {name: [] for name in _SCORES}
        count = min(_SCENES, len(folder))
        for first in range(0, count, _CHUNK_SCENES):
            chunk = range(first, min(first + _CHUNK_SCENES, count))
            batch = noisy_batch(folder, chunk, self._plan.batches, sigma).to(self._device)
            # As given, not refined: the stage is scored by itself.
            batch = batch._replace(hands=batch.hands._replace(keypoints=_coarse_of(batch)))
            self._score_chunk(batch, rows)
        return {name: float(torch.cat(values).mean()) for name, values in rows.items()}

    def _score_chunk(self, batch: TrackedBatch, rows: dict[str, list[Tensor]]) -> None:
        keypoints, self._networks.keypoints = self._networks.keypoints, None
        try:
            context = self._context(batch)
        finally:
            self._networks.keypoints = keypoints
        points = context.hands.palm_from_camera(batch.hands.points[:, -_VOLUME:])
        true = batch.hands.depth[:, -_VOLUME:] > 0
        before = context.initial.logits(points) > 0
        refined = context.logits(points) > 0
        in_other = context.partner_from_palm(points)
        other = context.of_partners().logits(in_other) > 0
        other &= context.accompanied[:, None]
        for name, inside in (("iou_initial", before), ("iou", refined)):
            union = (inside | true).sum(1).clamp_min(1)
            rows[name].append((inside & true).sum(1) / union)
        other_before = context.other.logits(in_other) > 0
        other_before &= context.accompanied[:, None]
        for name, both in (("shared_initial", before & other_before), ("shared", refined & other)):
            rows[name].append(1000 * both.sum(1) / true.sum(1).clamp_min(1))


def partners_of(batch: Batch) -> tuple[Tensor, Tensor]:
    """The other hand of each hand's scene (H,), itself where there is none; and (H,) bool whether
    there is one. Hands of a scene follow each other."""
    index = batch.image_index
    same = index[:, None] == index[None]
    same.fill_diagonal_(False)
    accompanied = same.any(1)
    own = torch.arange(len(index), device=index.device)
    return torch.where(accompanied, same.long().argmax(1), own), accompanied


def _coarse_of(batch: TrackedBatch) -> Tensor:
    return batch.coarse.joints[batch.hands.image_index, batch.slot]
