"""The stage ``keypoints``: keypoint refinement, together with the image encoder that it uses.

The encoder is shared, so the initial occupancy network goes on learning with it: part of its
shapes are made from the refined keypoints, which is what it will be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement, RefinedKeypoints
from im2hands_ros.networks.compact.networks import CompactNetworks, under
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.training.augmentation import TrackerErrors
from im2hands_ros.training.initial_stage import InitialStage
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stage import Term
from im2hands_ros.training.tracked_batches import TrackedBatch, draw_tracked, noisy_batch

_MILLIMETRES = 1e3
# An error counts by its ratio to this plus a share of the input's error, metres. Below the first
# it counts by its square: else scenes without errors would hold all others back.
_GOOD_ENOUGH, _SHARE = 0.002, 0.25
# Refined joints that are further off than this on average are no shape to learn from, metres.
_LARGEST_ERROR = 0.01
_ROUND_WEIGHTS = (0.2, 0.5, 1.0)
_SCENES, _CHUNK_SCENES = 96, 16
_NOISE_MM = (0, 5, 10, 15)


@dataclass(frozen=True)
class KeypointPlan(TrainingPlan):
    """A run of this stage.

    Attributes:
        tracker: errors of the keypoints that are to be refined.
        refined_share: share of the scenes whose shapes are made from refined keypoints.
    """

    tracker: TrackerErrors = TrackerErrors()
    refined_share: float = 0.5


class KeypointStage:
    """Coarse keypoints to refined ones; needs the weights of the stage ``initial``."""

    name = "keypoints"

    def __init__(self, plan: KeypointPlan, weights: Path | None, device: torch.device) -> None:
        self._initial = InitialStage(plan, weights, device)
        keypoints = KeypointRefinement(COMPACT.keypoints, COMPACT.initial.encoder)
        if weights is not None:
            loaded, _ = CompactNetworks.load(weights)
            if loaded.keypoints is not None:
                keypoints.load_state_dict(loaded.keypoints.state_dict())
        self._keypoints = keypoints.to(device)
        self.network = nn.ModuleDict({"initial": self._initial.network, "keypoints": keypoints})
        self.frozen: Mapping[str, nn.Module] = {}
        self.loss_weights = plan.losses
        self._plan, self._device = plan, device

    def draw(self, folder: SceneFolder, step: int, part: slice) -> TrackedBatch:
        """Scenes of a step's batch."""
        return draw_tracked(folder, self._plan.batches, self._plan.tracker, step, part)

    def losses(self, batch: TrackedBatch) -> dict[str, Term]:
        """Those of the refined keypoints, and those of the stage ``initial``."""
        if not len(batch.hands.image):
            return keypoint_terms(self._keypoints(None, batch.coarse, batch.swapped), batch)
        image = batch.hands.image.to(memory_format=torch.channels_last)
        features = self._initial.network.encoder(image)
        refined = self._keypoints(features, batch.coarse, batch.swapped)
        hands = canonicalise(
            shape_keypoints(batch, refined, self._plan.refined_share), batch.hands.mirrored
        )
        return {
            **self._initial.terms_of(features, hands, batch.hands),
            **keypoint_terms(refined, batch),
        }

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """Joint errors in and out, mm, at several noises; IoU as in the stage ``initial``."""
        scores = self._initial.validate(folder)
        for noise in _NOISE_MM:
            given, found = self._joint_errors(folder, noise / _MILLIMETRES)
            scores |= {f"in_mm_at_{noise}": given, f"out_mm_at_{noise}": found}
        ratios = [scores[f"out_mm_at_{n}"] / scores[f"in_mm_at_{n}"] for n in _NOISE_MM[1:]]
        scores["selection"] += sum(ratios) + 0.3 * scores["out_mm_at_0"]
        return scores

    def weights(self) -> dict[str, Tensor]:
        """Both networks."""
        return under("initial", self._initial.network) | under(self.name, self._keypoints)

    @torch.no_grad()
    def _joint_errors(self, folder: SceneFolder, sigma: float) -> tuple[float, float]:
        given, found = [], []
        count = min(_SCENES, len(folder))
        for first in range(0, count, _CHUNK_SCENES):
            chunk = range(first, min(first + _CHUNK_SCENES, count))
            batch = noisy_batch(folder, chunk, self._plan.batches, sigma).to(self._device)
            refined = self._keypoints(
                self._initial.network.encoder(batch.hands.image), batch.coarse
            )
            given.append((batch.coarse.joints - batch.target).norm(dim=-1)[batch.present])
            found.append((refined.joints - batch.target).norm(dim=-1)[batch.present])
        return tuple(float(torch.cat(e).mean()) * _MILLIMETRES for e in (given, found))  # type: ignore[return-value]


def shape_keypoints(batch: TrackedBatch, refined: RefinedKeypoints, share: float) -> Tensor:
    """(H, 21, 3) keypoints to make shapes from: refined ones in the batch's first scenes.

    A hand that is too far off would only blur the shape.
    """
    index = batch.hands.image_index
    joints = refined.joints.detach()
    error = (joints - batch.target).norm(dim=-1).mean(-1)[index, batch.slot]
    taken = (batch.place[index] < share) & (error < _LARGEST_ERROR)
    return torch.where(taken[:, None, None], joints[index, batch.slot], batch.hands.keypoints)


def keypoint_terms(refined: RefinedKeypoints, batch: TrackedBatch) -> dict[str, Term]:
    """Losses of refined keypoints, their spread and the sides."""
    return joint_terms(refined, batch.coarse, batch.target, batch.present, batch.swapped)


def joint_terms(
    refined: RefinedKeypoints,
    given: CoarseHands,
    target: Tensor,
    present: Tensor,
    swapped: Tensor,
    weights: tuple[float, ...] = _ROUND_WEIGHTS,
) -> dict[str, Term]:
    """The same; all but the first as in ``TrackedBatch``. weights: of the rounds."""
    count = int(present.sum())
    coarse = given.swap(swapped).joints
    unit = _SHARE * _scene_mean(coarse - target, present) + 1.5 * _GOOD_ENOUGH
    placed, shaped = (
        sum(
            weight * (_error(joints - target, relative) / unit)[present].mean()
            for weight, joints in zip(weights, refined.rounds, strict=True)
        )
        for relative in (False, True)
    )
    error = (refined.joints - target).norm(dim=-1).detach()
    spread = refined.spread.clamp_min(1e-4)
    likelihood = ((spread * _MILLIMETRES).log() + error / spread)[present].mean()
    side = F.binary_cross_entropy_with_logits(refined.swapped, swapped.float())
    return {
        "place": Term(torch.as_tensor(placed), count),
        "shape": Term(torch.as_tensor(shaped), count),
        "spread": Term(likelihood, count),
        "side": Term(side, len(swapped)),
    }


def _error(difference: Tensor, relative: bool) -> Tensor:
    """(B, 2, 21) distances; ``relative`` takes away what all joints of a hand share."""
    if relative:
        difference = difference - difference.mean(2, keepdim=True)
    return (difference.square().sum(-1) + _GOOD_ENOUGH**2).sqrt() - _GOOD_ENOUGH


def _scene_mean(difference: Tensor, present: Tensor) -> Tensor:
    """(B, 1, 1) mean distance over the present joints of each scene."""
    per_hand = difference.norm(dim=-1).mean(-1) * present
    return (per_hand.sum(1) / present.sum(1).clamp_min(1))[:, None, None]
