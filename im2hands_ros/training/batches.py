"""Batches of scenes for training: crops, coarse keypoints, query points and their depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.training.augmentation import KeypointErrors, perturb
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene
from im2hands_ros.training.stretching import stretched

CROP_MARGIN = 0.3
_UNKNOWN_SHAPE = np.full(BakedHand.shape_dims, np.nan, np.float32)


class Batch(NamedTuple):
    """B scenes with H hands in all, camera frame, metres.

    Attributes:
        image: (B, 3, S, S) float32 RGB in [0, 1], or (0, 3, S, S) in a step without images;
        mask: (B, S/4, S/4) long, 0 none, 1 left, 2 right.
        image_index: (H,) scene of each hand; intrinsics: (H, 3, 3) of its crop.
        keypoints: (H, 21, 3) coarse; true_keypoints: (H, 21, 3);
        mirrored: (H,) True for left hands.
        shape: (H, 12) shape parameters of the packaged hand, NaN for hands of other models.
        points: (H, N, 3) queries; depth: (H, N) signed depth under the skin, metres.
    """

    image: Tensor
    mask: Tensor
    image_index: Tensor
    intrinsics: Tensor
    keypoints: Tensor
    true_keypoints: Tensor
    mirrored: Tensor
    shape: Tensor
    points: Tensor
    depth: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(*(value.to(device, non_blocking=True) for value in self))


@dataclass(frozen=True)
class BatchPlan:
    """How batches are drawn: ``batches`` in a plan's YAML file.

    Each scene of a batch is a function of the seed, the step and its number in the batch. Steps
    without images are about ten times cheaper; later ones keep the decoder from depending on the
    image where that is unclear.
    """

    scenes: int = 16
    points: int = 512
    image_size: int = 192
    seed: int = 0
    errors: KeypointErrors = KeypointErrors()
    keypoint_only_steps: int = 6000
    image_share: float = 0.9
    stretched_share: float = 0.0

    def uses_image(self, step: int) -> bool:
        """Decided by the step alone, so that a resumed run draws the same."""
        return step >= self.keypoint_only_steps and (step * 0.6180339887) % 1 < self.image_share


def draw_batch(folder: SceneFolder, plan: BatchPlan, step: int, part: slice = slice(None)) -> Batch:
    """The scenes ``part`` of a step's batch; the same for the same folder, plan and step."""
    examples = []
    for number in range(plan.scenes)[part]:
        scene, rng = draw_scene(folder, plan, step, number)
        if plan.stretched_share and not plan.uses_image(step):
            scene = stretched(scene, rng) if rng.random() < plan.stretched_share else scene
        coarse = perturb(scene.keypoints, plan.errors, rng)
        examples.append(draw_example(scene, coarse, plan, step, rng))
    return collate(examples)


def draw_scene(
    folder: SceneFolder, plan: BatchPlan, step: int, number: int
) -> tuple[TrainingScene, np.random.Generator]:
    """A scene of a step's batch, mirrored or not, and what decides all else about it."""
    rng = np.random.default_rng((plan.seed, step, number))
    scene = folder[int(rng.integers(len(folder)))]
    return (scene.mirrored() if rng.random() < 0.5 else scene), rng


class Example(NamedTuple):
    """One scene as the network gets it, before batching; numpy."""

    image: np.ndarray
    mask: np.ndarray
    intrinsics: np.ndarray
    sides: list[str]
    keypoints: np.ndarray
    true_keypoints: np.ndarray
    shape: np.ndarray
    points: np.ndarray
    depth: np.ndarray


def draw_example(
    scene: TrainingScene,
    coarse: dict[str, np.ndarray],
    plan: BatchPlan,
    step: int,
    rng: np.random.Generator,
    framed: dict[str, np.ndarray] | None = None,
) -> Example:
    """A crop of random size and light, and random query points; coarse, framed: `example_of`."""
    margin = CROP_MARGIN + rng.uniform(-0.1, 0.15)
    example = example_of(scene, coarse, plan.image_size, margin, plan.uses_image(step), framed)
    chosen = rng.permuted(np.arange(example.points.shape[1]))[: plan.points]
    return example._replace(
        image=photometric(example.image, rng),
        points=example.points[:, chosen],
        depth=example.depth[:, chosen],
    )


def example_of(
    scene: TrainingScene,
    coarse: dict[str, np.ndarray],
    size: int,
    margin: float,
    with_image: bool = True,
    framed: dict[str, np.ndarray] | None = None,
) -> Example:
    """Cut the crop around keypoints and gather the scene's hands.

    coarse: keypoints that the hands' shapes are made from. framed: those that the crop is cut
    around, the same ones if None.
    """
    sides = list(coarse)
    around = np.concatenate(list((coarse if framed is None else framed).values()))
    crop = crop_around(scene.camera, around, size, margin)
    image, mask = np.empty((0, 3), np.uint8), np.empty(0, np.uint8)
    if with_image:
        image = crop.extract(scene.image)
        # Nearest sampling at the centre of each 4x4 cell of the crop.
        mask = _warp_mask(scene.mask, scene.camera, crop.camera)[2::4, 2::4]
    return Example(
        image=image,
        mask=mask,
        intrinsics=crop.camera.K,
        sides=sides,
        keypoints=np.stack([coarse[side] for side in sides]),
        true_keypoints=np.stack([scene.keypoints[side] for side in sides]),
        shape=np.stack([scene.shape.get(side, _UNKNOWN_SHAPE) for side in sides]),
        points=np.stack([scene.points[side] for side in sides]),
        depth=np.stack([scene.depth[side] for side in sides]),
    )


def _warp_mask(mask: np.ndarray, source: Camera, crop: Camera) -> np.ndarray:
    affine = (crop.K @ np.linalg.inv(source.K))[:2]
    return cv2.warpAffine(mask, affine, (crop.width, crop.height), flags=cv2.INTER_NEAREST)


def photometric(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image in another light: brightness, colour and offset."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    return np.clip(image * gain + rng.uniform(-15, 15), 0, 255).astype(np.uint8)


def collate(examples: list[Example]) -> Batch:
    """Stack scenes; hands of all scenes become one list."""
    hands = [(index, side) for index, example in enumerate(examples) for side in example.sides]
    image_index = torch.tensor([index for index, _ in hands])
    with_image = [example for example in examples if example.image.size]
    images = torch.from_numpy(np.stack([example.image for example in with_image or examples]))
    return Batch(
        image=images.permute(0, 3, 1, 2).float() / 255 if with_image else torch.empty(0, 3, 0, 0),
        mask=torch.from_numpy(np.stack([example.mask for example in examples])).long(),
        image_index=image_index,
        intrinsics=torch.from_numpy(np.stack([example.intrinsics for example in examples])).float()[
            image_index
        ],
        keypoints=_joined([example.keypoints for example in examples]),
        true_keypoints=_joined([example.true_keypoints for example in examples]),
        mirrored=torch.tensor([side == "left" for _, side in hands]),
        shape=_joined([example.shape for example in examples]),
        points=_joined([example.points for example in examples]),
        depth=_joined([example.depth for example in examples]),
    )


def _joined(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays)).float()
