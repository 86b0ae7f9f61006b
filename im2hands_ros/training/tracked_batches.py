"""Batches for the keypoint refinement: what trackers report, beside what ``batches`` draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.training.augmentation import (
    KeypointErrors,
    Keypoints,
    Tracked,
    TrackerErrors,
    disturb,
    track,
)
from im2hands_ros.training.batches import (
    CROP_MARGIN,
    Batch,
    BatchPlan,
    SceneFolder,
    View,
    collate,
    photometric,
    view_of,
)


class TrackedBatch(NamedTuple):
    """B scenes with H hands in all; left hands in slot 0.

    Attributes:
        hands: images, query points and the true keypoints with the errors of ``KeypointErrors``.
        coarse: what a tracker reports of the scenes.
        target: (B, 2, 21, 3) the same joints without errors; present: (B, 2) which are there.
        swapped: (B,) True where the tracker exchanged the sides.
        slot: (H,) slot of each hand in its scene.
        place: (B,) where in the whole batch of all processes a scene is, from 0 to below 1.
    """

    hands: Batch
    coarse: CoarseHands
    target: Tensor
    present: Tensor
    swapped: Tensor
    slot: Tensor
    place: Tensor

    def to(self, device: torch.device) -> TrackedBatch:
        """The same batch on another device."""
        coarse = CoarseHands(*(value.to(device) for value in self.coarse))
        rest = (value.to(device) for value in self[2:])
        return TrackedBatch(self.hands.to(device), coarse, *rest)


def draw_tracked(
    folder: SceneFolder, plan: BatchPlan, errors: TrackerErrors, step: int, part: slice
) -> TrackedBatch:
    """The scenes ``part`` of a step's batch; the same for the same folder, plan and step."""
    views, tracked = [], []
    for number in range(plan.scenes)[part]:
        rng = np.random.default_rng((plan.seed, step, number))
        scene = folder[int(rng.integers(len(folder)))]
        if rng.random() < 0.5:
            scene = scene.mirrored()
        seen = track(scene.keypoints, errors, rng)
        kept = {side: scene.keypoints[side] for side in SIDES if side in seen.target}
        given = disturb(kept, plan.errors, rng)
        margin = CROP_MARGIN + rng.uniform(-0.1, 0.15)
        with_image = plan.shows_image(step)
        view = view_of(scene, given, plan.image_size, margin, with_image, framed=seen.coarse)
        chosen = rng.permuted(np.arange(view.points.shape[1]))[: plan.points]
        views.append(
            view._replace(
                image=photometric(view.image, rng),
                points=view.points[:, chosen],
                depth=view.depth[:, chosen],
            )
        )
        tracked.append(seen)
    batch = collate_tracked(views, tracked)
    return batch._replace(place=torch.arange(plan.scenes)[part] / plan.scenes)


def noisy_batch(folder: SceneFolder, chunk: range, plan: BatchPlan, sigma: float) -> TrackedBatch:
    """Scenes with all their points and Gaussian noise (metres) on the keypoints alone."""
    none = KeypointErrors(convention_share=0, noise_share=0)
    views, tracked = [], []
    for index in chunk:
        scene, rng = folder[index], np.random.default_rng(index)
        true = disturb(scene.keypoints, none, rng)
        coarse = {
            side: (joints + rng.normal(0, sigma, joints.shape)).astype(np.float32)
            for side, joints in true.items()
        }
        views.append(view_of(scene, true, plan.image_size, CROP_MARGIN, framed=coarse))
        tracked.append(Tracked(coarse, true, swapped=False))
    return collate_tracked(views, tracked)


def collate_tracked(views: list[View], tracked: list[Tracked]) -> TrackedBatch:
    """Stack scenes; absent hands hold the joints of the other one, so that all is finite."""
    coarse, reported = _slots([seen.coarse for seen in tracked])
    target, present = _slots([seen.target for seen in tracked])
    intrinsics = torch.from_numpy(np.stack([view.intrinsics for view in views])).float()
    return TrackedBatch(
        hands=collate(views),
        coarse=CoarseHands(coarse, reported, intrinsics),
        target=target,
        present=present,
        swapped=torch.tensor([seen.swapped for seen in tracked]),
        slot=torch.tensor([SIDES.index(side) for view in views for side in view.sides]),
        place=torch.arange(len(views)) / len(views),
    )


def _slots(keypoints: list[Keypoints]) -> tuple[Tensor, Tensor]:
    joints = torch.zeros(len(keypoints), len(SIDES), JOINT_COUNT, 3)
    present = torch.zeros(len(keypoints), len(SIDES), dtype=torch.bool)
    for scene, sides in enumerate(keypoints):
        for slot, side in enumerate(SIDES):
            known = sides[side] if side in sides else next(iter(sides.values()))
            joints[scene, slot] = torch.from_numpy(known)
            present[scene, slot] = side in sides
    return joints, present
