"""The stage ``landmarks``: MediaPipe's landmark network learns what hints about both hands say.

Up to stride 8, where the hints join, it stays as it is. Scenes of subset ``photo_…``
(`tools/overlay_hands.py`) hold real hands as MediaPipe's own network labelled them: what it knows
of those is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks, Hints
from im2hands_ros.networks.compact.landmark_encoder import WEIGHTS
from im2hands_ros.networks.compact.landmark_network import HINTED, LandmarkNetwork
from im2hands_ros.networks.compact.networks import under
from im2hands_ros.skeleton import JOINT_COUNT, MIDDLE_MCP, WRIST
from im2hands_ros.training.crop_errors import CropErrors
from im2hands_ros.training.landmark_batches import (
    CropBatch,
    HandCrop,
    collate_crops,
    crop_of,
    draw_crop,
    in_picture,
)
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene
from im2hands_ros.training.stage import Term

_PREFIX = "landmarks."
# Validation: noise of the hints in palms, scenes of each kind, crops at once.
_NOISE, _SCENES, _CHUNK = 0.1, 64, 16
# What a network sees this many palms off the hand is another hand, and no hint of this one.
_ANOTHER = 0.6


@dataclass(frozen=True)
class LandmarkPlan(TrainingPlan):
    """A run of this stage; ``crops``: how crops and hints are wrong."""

    crops: CropErrors = CropErrors()


class LandmarkStage:
    """Landmarks of the hand that is meant, from the packaged ones or a weights file's."""

    name = "landmarks"

    def __init__(self, plan: LandmarkPlan, weights: Path | None, device: torch.device) -> None:
        network, state = ConditionedLandmarks(), {}
        self._others: dict[str, Tensor] = {}
        if weights is not None:
            tensors, _ = checkpoints.read(weights)
            state = {
                n.removeprefix(_PREFIX): t for n, t in tensors.items() if n.startswith(_PREFIX)
            }
            self._others = {n: t for n, t in tensors.items() if not n.startswith(_PREFIX)}
        if state:
            network.load_state_dict(state)
        else:
            checkpoints.load_into(network.network, WEIGHTS)
        for part in (network.network.stem, *network.network.blocks[: HINTED + 1]):
            part.requires_grad_(False)
        network.network.shape.requires_grad_(False)
        self.network: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        original = LandmarkNetwork()
        checkpoints.load_into(original, WEIGHTS)
        self._original = original.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frozen: Mapping[str, nn.Module] = {"original": self._original}
        self.loss_weights = plan.losses
        self._plan, self._device = plan, device

    def draw(self, folder: SceneFolder, step: int, part: slice) -> CropBatch:
        """Crops of a step's batch."""
        plan = self._plan
        numbers = range(plan.batches.scenes)[part]
        drawn = (np.random.default_rng((plan.batches.seed, step, number)) for number in numbers)
        return collate_crops([draw_crop(folder, plan.crops, rng) for rng in drawn])

    def losses(self, batch: CropBatch) -> dict[str, Term]:
        """Of the landmarks, their spread, presence and side."""
        seen, spread = self.network(batch.image, self._hints(batch))
        there, count = batch.there, int(batch.there.sum())
        off = (seen.landmarks - batch.target).abs()
        across = off[..., :2].mean(-1)
        likelihood = across / spread + spread.log()
        right = F.binary_cross_entropy(
            seen.right.clamp(1e-6, 1 - 1e-6), batch.right, reduction="none"
        )
        present = F.binary_cross_entropy(seen.presence.clamp(1e-6, 1 - 1e-6), there.float())
        return {
            "place": Term(across[there].mean(), count),
            "spread": Term(likelihood[there].mean(), count),
            "relief": Term(off[..., 2][there].mean(), count),
            "side": Term(right[there].mean(), count),
            "presence": Term(present, len(there)),
        }

    @torch.no_grad()
    def _hints(self, batch: CropBatch) -> Hints:
        """The batch's, with what was seen in place of some."""
        joints = batch.hints.joints.clone()
        for number, network in ((1, self._original), (2, self.network)):
            chosen = (batch.seen == number).nonzero()[:, 0]
            if not len(chosen):
                continue
            hints = Hints(*(value[chosen] for value in batch.hints))
            image = batch.image[chosen].contiguous(memory_format=torch.channels_last)
            seen = network(image) if number == 1 else network(image, hints)[0]
            places = seen.landmarks[..., :2].float()
            off = (places - batch.target[chosen, :, :2]).norm(dim=-1).mean(1)
            near = off < _ANOTHER * batch.palm[chosen]
            joints[chosen[near], 0] = places[near]
        return Hints(joints, batch.hints.both, batch.hints.known)

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """Mean errors in palms by kind of scene, hints a tenth of a palm off per coordinate; and
        without hints, there also the share of hands that are seen as of the other side."""
        scores: dict[str, float] = {}
        crops = self._validation_crops(folder)
        for subset, each in crops.items():
            scores[subset], scores[f"{subset}_relief"], _ = self._means(each)
        selection = sum(scores[s] + 0.3 * scores[f"{s}_relief"] for s in crops) / len(crops)
        for subset, each in crops.items():
            unknown = [crop._replace(known=False) for crop in each]
            scores[f"{subset}_unknown"], _, scores[f"{subset}_other_side"] = self._means(unknown)
        return scores | {"selection": selection}

    def _means(self, crops: list[HandCrop]) -> list[float]:
        errors = []
        for first in range(0, len(crops), _CHUNK):
            batch = collate_crops(crops[first : first + _CHUNK]).to(self._device)
            errors.append(self._errors(batch))
        return torch.cat(errors).mean(0).tolist()  # type: ignore[no-any-return]

    def weights(self) -> dict[str, Tensor]:
        """The network's in half precision, and those of the weights file that it began with."""
        own = under(self.name, self.network)
        return self._others | {name: value.half() for name, value in own.items()}

    @staticmethod
    def _validation_crops(folder: SceneFolder) -> dict[str, list[HandCrop]]:
        crops: dict[str, list[HandCrop]] = {}
        for index in range(len(folder)):
            scene = folder[index]
            kind = scene.sample.subset.replace("_left", "").replace("_right", "")
            if len(crops.setdefault(kind, [])) >= _SCENES:
                continue
            rng = np.random.default_rng(index)
            joints = in_picture(scene)
            sigma = _NOISE * _palm_px(scene)
            given = {
                s: x[:, :2] + rng.normal(0, sigma, (JOINT_COUNT, 2)) for s, x in joints.items()
            }
            crops[kind] += [crop_of(scene, given, side) for side in joints]
        return crops

    @torch.no_grad()
    def _errors(self, batch: CropBatch) -> Tensor:
        """(B, 3) mean distance in the picture and mean error of the relief, palms; 1 where a hand
        is seen as of the other side."""
        seen, _ = self.network(batch.image, batch.hints)
        off = seen.landmarks - batch.target
        both = torch.stack([off[..., :2].norm(dim=-1).mean(1), off[..., 2].abs().mean(1)], 1)
        return torch.cat([both / batch.palm[:, None], (seen.right < 0.5).float()[:, None]], 1)


def _palm_px(scene: TrainingScene) -> float:
    """The palm's length in the picture, unforeshortened."""
    xyz = next(iter(scene.keypoints.values()))
    return float(np.linalg.norm(xyz[MIDDLE_MCP] - xyz[WRIST]) * scene.camera.fx / xyz[:, 2].mean())
