"""Batches for the keypoint refinement: what trackers report, beside what ``batches`` draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.training.augmentation import (
    Keypoints,
    TrackerErrors,
    TrackerOutput,
    exact_and_noisy,
    perturb,
    simulate_tracker_errors,
)
from im2hands_ros.training.batches import (
    CROP_MARGIN,
    Batch,
    BatchPlan,
    Example,
    collate,
    draw_example,
    draw_scene,
    example_of,
)
from im2hands_ros.training.scene_folder import SceneFolder


class TrackedBatch(NamedTuple):
    """B scenes with H hands in all; left hands in slot 0.

    Attributes:
        hands: images, query points and the true keypoints with the errors of ``KeypointErrors``.
        coarse: what a tracker reports of the scenes.
        target: (B, 2, 21, 3) the same joints without errors; present: (B, 2) which are there.
        swapped: (B,) True where the tracker swapped the sides.
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
    examples, outputs = [], []
    for number in range(plan.scenes)[part]:
        scene, rng = draw_scene(folder, plan, step, number)
        output = simulate_tracker_errors(scene.keypoints, errors, rng)
        kept = {side: scene.keypoints[side] for side in SIDES if side in output.target}
        coarse = perturb(kept, plan.errors, rng)
        examples.append(draw_example(scene, coarse, plan, step, rng, framed=output.coarse))
        outputs.append(output)
    batch = collate_tracked(examples, outputs)
    return batch._replace(place=torch.arange(plan.scenes)[part] / plan.scenes)


def noisy_batch(folder: SceneFolder, chunk: range, plan: BatchPlan, sigma: float) -> TrackedBatch:
    """Scenes with all their points and Gaussian noise (metres) on the keypoints alone."""
    examples, outputs = [], []
    for index in chunk:
        scene = folder[index]
        true, coarse = exact_and_noisy(scene.keypoints, sigma, np.random.default_rng(index))
        examples.append(example_of(scene, true, plan.image_size, CROP_MARGIN, framed=coarse))
        outputs.append(TrackerOutput(coarse, true, swapped=False))
    return collate_tracked(examples, outputs)


def collate_tracked(examples: list[Example], outputs: list[TrackerOutput]) -> TrackedBatch:
    """Stack scenes; absent hands hold the joints of the other one, so that all is finite."""
    coarse, reported = slots_of([output.coarse for output in outputs])
    target, present = slots_of([output.target for output in outputs])
    intrinsics = torch.from_numpy(np.stack([example.intrinsics for example in examples])).float()
    return TrackedBatch(
        hands=collate(examples),
        coarse=CoarseHands(coarse, reported, intrinsics),
        target=target,
        present=present,
        swapped=torch.tensor([output.swapped for output in outputs]),
        slot=torch.tensor([SIDES.index(side) for example in examples for side in example.sides]),
        place=torch.arange(len(examples)) / len(examples),
    )


def slots_of(keypoints: list[Keypoints]) -> tuple[Tensor, Tensor]:
    """(B, 2, 21, 3) joints, left hands in slot 0, and (B, 2) which are there; absent hands hold the
    joints of the other one."""
    joints = torch.zeros(len(keypoints), len(SIDES), JOINT_COUNT, 3)
    present = torch.zeros(len(keypoints), len(SIDES), dtype=torch.bool)
    for scene, sides in enumerate(keypoints):
        for slot, side in enumerate(SIDES):
            known = sides[side] if side in sides else next(iter(sides.values()))
            joints[scene, slot] = torch.from_numpy(known)
            present[scene, slot] = side in sides
    return joints, present
