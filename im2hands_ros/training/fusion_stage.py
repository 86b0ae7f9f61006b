"""The stage ``fusion``: the keypoint refinement learns to use landmarks that are seen.

Image encoder and landmark network stay as they are, so what they make of a scene and a draw of
coarse joints is computed once: draws come from a pool, and each is kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.camera import crop_around
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import RefinedKeypoints
from im2hands_ros.networks.compact.landmark_fusion import FusedLandmarks, SeenHands
from im2hands_ros.networks.compact.networks import CompactNetworks, fusion_of
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.networks.compact.seen_hands import see_hands
from im2hands_ros.pair import HandPair
from im2hands_ros.training.augmentation import (
    TrackerErrors,
    TrackerOutput,
    exact_and_noisy,
    simulate_tracker_errors,
)
from im2hands_ros.training.batches import CROP_MARGIN, photometric
from im2hands_ros.training.camera_errors import disturbed
from im2hands_ros.training.keypoint_stage import joint_terms
from im2hands_ros.training.plan import TrainingPlan
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene
from im2hands_ros.training.stage import Term
from im2hands_ros.training.tracked_batches import slots_of

_MILLIMETRES = 1e3
_SCENES, _CHUNK = 96, 16
_NOISE_MM, _UNFIT_MM = (0, 10, 15), 10
_TRACKER = TrackerErrors(convention_share=0, clean_share=0, noise_share=0, missing_share=0)


@dataclass(frozen=True)
class FusionPlan(TrainingPlan):
    """A run of this stage.

    Attributes:
        tracker: errors of the keypoints that are to be refined.
        refinement_learns: whether the keypoint refinement learns too, or only what reads landmarks.
        pool: draws of a scene and coarse joints, each used many times.
        disturbed_share: of pictures in other light, blurred, grey or partly covered.
        unseen_share: of hands whose landmarks are withheld.
        unfit_share: of scenes whose image features are another picture's, or a grey one's: the
            encoder knows rendered hands alone, and on photographs landmarks must do without it.
    """

    tracker: TrackerErrors = TrackerErrors()
    refinement_learns: bool = False
    pool: int = 8000
    disturbed_share: float = 0.5
    unseen_share: float = 0.08
    unfit_share: float = 0.5


class SeenScenes(NamedTuple):
    """B scenes as the refinement takes them, and what it should find; as in ``TrackedBatch``."""

    features: ImageFeatures
    seen: SeenHands
    coarse: CoarseHands
    target: Tensor
    present: Tensor
    swapped: Tensor

    def to(self, device: torch.device) -> SeenScenes:
        """The same on another device."""
        features = ImageFeatures(*(value.to(device) for value in self.features))
        coarse = CoarseHands(*(value.to(device) for value in self.coarse))
        rest = (value.to(device) for value in self[3:])
        return SeenScenes(features, self.seen.to(device), coarse, *rest)


class FusionStage:
    """Needs the weights of the stages ``keypoints`` and ``landmarks``."""

    name = "fusion"

    def __init__(self, plan: FusionPlan, weights: Path | None, device: torch.device) -> None:
        if weights is None:
            raise ValueError("the stage 'fusion' needs --weights with 'keypoints' and 'landmarks'")
        loaded, _ = CompactNetworks.load(weights)
        if loaded.keypoints is None or loaded.landmarks is None:
            raise ValueError(
                f"{weights} lacks 'keypoints' or 'landmarks': train those stages first"
            )
        loaded.fusion = loaded.fusion or fusion_of(COMPACT)
        self._networks = loaded.to(device)
        for encoder in loaded.encoders:
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device.type == "cpu":
            loaded.landmarks.network.fuse()
        loaded.keypoints.requires_grad_(plan.refinement_learns)
        self._keypoints, self._fusion = loaded.keypoints, loaded.fusion
        self.network = nn.ModuleDict({"keypoints": loaded.keypoints, "fusion": loaded.fusion})
        self.frozen: Mapping[str, nn.Module] = {
            "initial": loaded.initial,
            "landmarks": loaded.landmarks,
        }
        self.loss_weights = plan.losses
        self._plan, self._device = plan, device
        self._pool: dict[int, SeenScenes] = {}
        self._validation: dict[float | None, list[SeenScenes]] = {}

    def draw(self, folder: SceneFolder, step: int, part: slice) -> SeenScenes:
        """Scenes of a step's batch, out of the pool."""
        plan = self._plan
        rng = np.random.default_rng((plan.batches.seed, step))
        numbers = rng.permutation(plan.pool)[: plan.batches.scenes + 1].tolist()
        lots = rng.random((plan.batches.scenes, 3))
        scenes = []
        for place in range(plan.batches.scenes)[part]:
            scene = self._drawn(folder, numbers[place])
            if lots[place, 2] < plan.unfit_share / 2:
                scene = scene._replace(features=self._grey())
            elif lots[place, 2] < plan.unfit_share:
                scene = scene._replace(features=self._drawn(folder, numbers[place + 1]).features)
            scenes.append(scene)
        batch = joined(scenes)
        kept = torch.from_numpy(lots[part, :2] >= plan.unseen_share)
        return batch._replace(seen=batch.seen._replace(presence=batch.seen.presence * kept))

    def losses(self, batch: SeenScenes) -> dict[str, Term]:
        """Of the refined keypoints."""
        return joint_terms(
            self._refined(batch, batch.swapped),
            batch.coarse,
            batch.target,
            batch.present,
            batch.swapped,
        )

    def validate(self, folder: SceneFolder) -> dict[str, float]:
        """Joint errors in and out, mm, at several noises and with a tracker's errors."""
        scores: dict[str, float] = {}
        ratios = []
        for noise in (*_NOISE_MM, None):
            given, found = self._joint_errors(folder, noise)
            label = "tracker" if noise is None else str(noise)
            scores |= {f"in_mm_at_{label}": given, f"out_mm_at_{label}": found}
            ratios.append(found / given if given else 0.15 * found)
        given, found = self._joint_errors(folder, _UNFIT_MM, unfit=True)
        scores["out_mm_without_encoder"] = found
        ratios.append(found / given)
        return scores | {"selection": sum(ratios)}

    def weights(self) -> dict[str, Tensor]:
        """All networks, the landmark network's in half precision."""
        state = self._networks.state_dict()
        return {n: v.half() if n.startswith("landmarks.") else v for n, v in state.items()}

    def _refined(self, batch: SeenScenes, swapped: Tensor | None) -> RefinedKeypoints:
        fused = FusedLandmarks(batch.seen, self._fusion)
        refined: RefinedKeypoints = self._keypoints(batch.features, batch.coarse, swapped, fused)
        return refined

    def _drawn(self, folder: SceneFolder, number: int) -> SeenScenes:
        if number not in self._pool:
            plan = self._plan
            rng = np.random.default_rng((plan.batches.seed, number, 1))
            scene = folder[int(rng.integers(len(folder)))]
            scene = scene.mirrored() if rng.random() < 0.5 else scene
            output = simulate_tracker_errors(scene.keypoints, plan.tracker, rng)
            image = photometric(scene.image, rng)
            if rng.random() < plan.disturbed_share:
                image = disturbed(image, rng)
            margin = CROP_MARGIN + rng.uniform(-0.1, 0.15)
            self._pool[number] = self._encoded(scene, image, output, margin)
        return self._pool[number]

    @torch.inference_mode()
    def _encoded(
        self, scene: TrainingScene, image: np.ndarray, output: TrackerOutput, margin: float
    ) -> SeenScenes:
        """One scene through the networks that do not learn; features in half precision."""
        crop = crop_around(
            scene.camera,
            np.concatenate(list(output.coarse.values())),
            self._plan.batches.image_size,
            margin,
        )
        pixels = torch.from_numpy(crop.extract(image)).permute(2, 0, 1)[None].float() / 255
        pixels = pixels.to(self._device, memory_format=torch.channels_last)
        features = self._networks.encode(pixels)
        landmarks = self._networks.landmarks
        assert landmarks is not None
        seen = see_hands(landmarks, image, scene.camera, HandPair(**output.coarse))
        coarse, reported = slots_of([output.coarse])
        target, present = slots_of([output.target])
        intrinsics = torch.from_numpy(crop.camera.K).float()[None]
        return SeenScenes(
            ImageFeatures(*(value.half().cpu() for value in features)),
            seen.to(torch.device("cpu")),
            CoarseHands(coarse, reported, intrinsics),
            target,
            present,
            torch.tensor([output.swapped]),
        )

    @torch.inference_mode()
    def _grey(self) -> ImageFeatures:
        """Features of a picture that shows nothing."""
        size = self._plan.batches.image_size
        pixels = torch.full((1, 3, size, size), 0.35, device=self._device)
        return ImageFeatures(*(value.half().cpu() for value in self._networks.encode(pixels)))

    @torch.no_grad()
    def _joint_errors(
        self, folder: SceneFolder, noise: float | None, unfit: bool = False
    ) -> tuple[float, float]:
        """Millimetres in and out; unfit: the image features show nothing."""
        if noise not in self._validation:
            scenes = [self._noisy(folder, i, noise) for i in range(min(_SCENES, len(folder)))]
            chunks = range(0, len(scenes), _CHUNK)
            self._validation[noise] = [joined(scenes[at : at + _CHUNK]) for at in chunks]
        given, found = [], []
        for chunk in self._validation[noise]:
            batch = chunk.to(self._device)
            if unfit:
                grey = (each.float().expand(len(batch.target), -1, -1, -1) for each in self._grey())
                batch = batch._replace(features=ImageFeatures(*(x.to(self._device) for x in grey)))
            refined = self._refined(batch, None)
            coarse = batch.coarse.swap(batch.swapped).joints
            given.append((coarse - batch.target).norm(dim=-1)[batch.present])
            found.append((refined.joints - batch.target).norm(dim=-1)[batch.present])
        mean = [float(torch.cat(e).mean()) * _MILLIMETRES for e in (given, found)]
        return mean[0], mean[1]

    def _noisy(self, folder: SceneFolder, index: int, noise: float | None) -> SeenScenes:
        scene, rng = folder[index], np.random.default_rng(index)
        if noise is None:
            output = simulate_tracker_errors(scene.keypoints, _TRACKER, rng)
        else:
            true, coarse = exact_and_noisy(scene.keypoints, noise / _MILLIMETRES, rng)
            output = TrackerOutput(coarse, true, swapped=False)
        return self._encoded(scene, scene.image, output, CROP_MARGIN)


def joined(scenes: list[SeenScenes]) -> SeenScenes:
    """Scenes of one batch, features in float32."""
    nested: list[Any] = [
        type(parts[0])(*map(torch.cat, zip(*parts, strict=True)))
        if isinstance(parts[0], tuple)
        else torch.cat(parts)
        for parts in zip(*scenes, strict=True)
    ]
    batch = SeenScenes(*nested)
    return batch._replace(features=ImageFeatures(*(each.float() for each in batch.features)))
