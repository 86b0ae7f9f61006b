"""Batches of scenes for training: crops, coarse keypoints, query points and their depth."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.sample import Sample
from im2hands_ros.synthetic.shards import ShardReader
from im2hands_ros.training.augmentation import KeypointErrors, disturb

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


@dataclass
class Scene:
    """What training needs of one sample; arrays of absent sides are missing.

    ``shape`` is missing for hands of other models than the packaged one, too.
    """

    sample: Sample
    camera: Camera
    keypoints: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    depth: dict[str, np.ndarray]
    shape: dict[str, np.ndarray] = field(default_factory=dict)
    flipped: bool = False

    @property
    def image(self) -> np.ndarray:
        """(256, 256, 3) uint8 RGB; decoded on request."""
        return np.ascontiguousarray(
            self.sample.image[:, ::-1] if self.flipped else self.sample.image
        )

    @property
    def mask(self) -> np.ndarray:
        """(256, 256) uint8: 0 none, 1 left hand, 2 right hand."""
        if not self.flipped:
            return self.sample.mask
        return np.array([0, 2, 1], np.uint8)[self.sample.mask[:, ::-1]]

    def mirrored(self) -> Scene:
        """The scene in a mirror: left hands become right hands."""
        camera = dataclasses.replace(self.camera, cx=self.camera.width - 1 - self.camera.cx)
        other = dict(zip(SIDES, reversed(SIDES), strict=True))
        flip = np.array([-1, 1, 1], np.float32)
        return Scene(
            sample=self.sample,
            camera=camera,
            keypoints={other[side]: xyz * flip for side, xyz in self.keypoints.items()},
            points={other[side]: xyz * flip for side, xyz in self.points.items()},
            depth={other[side]: depth for side, depth in self.depth.items()},
            shape={other[side]: shape for side, shape in self.shape.items()},
            flipped=not self.flipped,
        )


class SceneFolder:
    """All scenes of the shards in a folder, kept in memory as they are stored."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("*.npz"))
        if not paths:
            raise FileNotFoundError(
                f"no shards in {folder}: make them with 'im2hands synthesize --out {folder}'"
            )
        self._shards = [ShardReader(path) for path in paths]
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Scene:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        first = int(self._ends[shard - 1]) if shard else 0
        sample = self._shards[shard][index - first]
        present = [side for side in SIDES if sample.keypoints[side] is not None]
        return Scene(
            sample=sample,
            camera=sample.camera,
            keypoints={side: sample.keypoints[side] for side in present},
            points={side: sample.points[side] for side in present},
            depth={side: sample.depth[side] for side in present},
            shape={
                side: given.shape for side, given in sample.parameters.items() if given is not None
            },
        )


@dataclass(frozen=True)
class BatchPlan:
    """How batches are drawn.

    Attributes:
        scenes: scenes a batch.
        points: query points a hand.
        image_size: crop side in pixels.
        seed: decides, with the step and a scene's number in its batch, everything about it.
        errors: of the keypoints.
        blind_steps: first steps, which train the decoder on keypoints alone: about ten times
            cheaper than steps with images, and most of the shape is learned there.
        image_share: share of the later steps that show the image. The others keep the decoder
            from depending on the image where that is unclear.
    """

    scenes: int = 16
    points: int = 512
    image_size: int = 192
    seed: int = 0
    errors: KeypointErrors = KeypointErrors()
    blind_steps: int = 6000
    image_share: float = 0.9

    def shows_image(self, step: int) -> bool:
        """Decided by the step alone, so that a resumed run draws the same."""
        return step >= self.blind_steps and (step * 0.6180339887) % 1 < self.image_share


def draw_batch(folder: SceneFolder, plan: BatchPlan, step: int, part: slice = slice(None)) -> Batch:
    """The scenes ``part`` of a step's batch; the same for the same folder, plan and step."""
    views = []
    for number in range(plan.scenes)[part]:
        rng = np.random.default_rng((plan.seed, step, number))
        scene = folder[int(rng.integers(len(folder)))]
        if rng.random() < 0.5:
            scene = scene.mirrored()
        views.append(_view(scene, plan, rng, plan.shows_image(step)))
    return collate(views)


class View(NamedTuple):
    """One scene as the network sees it, before batching; numpy."""

    image: np.ndarray
    mask: np.ndarray
    intrinsics: np.ndarray
    sides: list[str]
    keypoints: np.ndarray
    true_keypoints: np.ndarray
    shape: np.ndarray
    points: np.ndarray
    depth: np.ndarray


def _view(scene: Scene, plan: BatchPlan, rng: np.random.Generator, with_image: bool) -> View:
    coarse = disturb(scene.keypoints, plan.errors, rng)
    margin = CROP_MARGIN + rng.uniform(-0.1, 0.15)
    view = view_of(scene, coarse, plan.image_size, margin, with_image)
    chosen = rng.permuted(np.arange(view.points.shape[1]))[: plan.points]
    image = photometric(view.image, rng)
    return view._replace(image=image, points=view.points[:, chosen], depth=view.depth[:, chosen])


def view_of(
    scene: Scene,
    coarse: dict[str, np.ndarray],
    size: int,
    margin: float,
    with_image: bool = True,
    framed: dict[str, np.ndarray] | None = None,
) -> View:
    """Cut the crop that keypoints ask for and gather the scene's hands.

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
    return View(
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


def collate(views: list[View]) -> Batch:
    """Stack views; hands of all scenes become one list."""
    hands = [(index, side) for index, view in enumerate(views) for side in view.sides]
    image_index = torch.tensor([index for index, _ in hands])
    shown = [view for view in views if view.image.size]
    images = torch.from_numpy(np.stack([view.image for view in shown or views]))
    return Batch(
        image=images.permute(0, 3, 1, 2).float() / 255 if shown else torch.empty(0, 3, 0, 0),
        mask=torch.from_numpy(np.stack([view.mask for view in views])).long(),
        image_index=image_index,
        intrinsics=torch.from_numpy(np.stack([view.intrinsics for view in views])).float()[
            image_index
        ],
        keypoints=_joined([view.keypoints for view in views]),
        true_keypoints=_joined([view.true_keypoints for view in views]),
        mirrored=torch.tensor([side == "left" for _, side in hands]),
        shape=_joined([view.shape for view in views]),
        points=_joined([view.points for view in views]),
        depth=_joined([view.depth for view in views]),
    )


def _joined(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays)).float()
