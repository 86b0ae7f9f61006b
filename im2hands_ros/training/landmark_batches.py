"""Crops of single hands for the landmark network, with hints as a tracker might give them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.networks.compact.conditioned_landmarks import Hints
from im2hands_ros.networks.compact.landmark_regions import (
    FloatArray,
    cut_out,
    moved,
    region_of,
    scale_of,
)
from im2hands_ros.skeleton import MIDDLE_MCP, SIDES, WRIST
from im2hands_ros.training.camera_errors import disturbed
from im2hands_ros.training.crop_errors import CropErrors, shaken
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene

_OTHER = {"left": "right", "right": "left"}
# Hands further apart than this many palms do not hide each other.
_NEAR = 1.6
_TRIES = 64


class HandCrop(NamedTuple):
    """One hand's crop; numpy.

    Attributes:
        image: (224, 224, 3) uint8. hints: (2, 21, 2); both: whether there is another hand.
        target: (21, 3) x, y and depth behind the wrist, pixels of the crop.
        there: whether it shows the hand. right: whether it looks like a right one.
        palm: in the crop, unforeshortened, pixels.
        seen: by which network its own hint is to be replaced with what that sees: 0 none, 1
            MediaPipe's, 2 the one that is trained.
        known: whether it has hints at all.
    """

    image: np.ndarray
    hints: np.ndarray
    both: bool
    target: np.ndarray
    there: bool
    right: bool
    palm: float
    seen: int = 0
    known: bool = True


class CropBatch(NamedTuple):
    """B crops; as `HandCrop`, images (B, 3, 224, 224) float32 in [0, 1]."""

    image: Tensor
    hints: Hints
    target: Tensor
    there: Tensor
    right: Tensor
    palm: Tensor
    seen: Tensor

    def to(self, device: torch.device) -> CropBatch:
        """The same batch on another device."""
        hints = Hints(*(value.to(device) for value in self.hints))
        return CropBatch(self.image.to(device), hints, *(x.to(device) for x in self[2:]))


def draw_crop(folder: SceneFolder, errors: CropErrors, rng: np.random.Generator) -> HandCrop:
    """A hand of a random scene, mirrored or not, disturbed."""
    for _ in range(_TRIES):
        scene = folder[int(rng.integers(len(folder)))]
        if are_near(in_picture(scene)) or rng.random() < errors.lone_share:
            break
    scene = scene.mirrored() if rng.random() < 0.5 else scene
    joints, known = in_picture(scene), rng.random() >= errors.unknown_share
    errors = errors if known else errors.of_unknown()
    given = {side: shaken(x[:, :2], errors, rng) for side, x in joints.items()}
    side = list(joints)[int(rng.integers(len(joints)))]
    ghost = known and rng.random() < errors.ghost_share and _add_ghost(joints, side, given, rng)
    crop = crop_of(
        scene,
        given,
        _OTHER[side] if ghost else side,
        wrong_side=rng.random() < errors.wrong_side_share,
        beside=_beside(given, side, known, rng) if rng.random() < errors.absent_share else None,
        ghost=ghost,
    )
    seen = _seen_by(errors, rng) if crop.there else 0
    return crop._replace(image=disturbed(crop.image, rng), seen=seen, known=known)


def crop_of(
    scene: TrainingScene,
    given: dict[str, FloatArray],
    side: str,
    wrong_side: bool = False,
    beside: FloatArray | None = None,
    ghost: bool = False,
) -> HandCrop:
    """A hand's crop around the joints given.

    Args:
        given: per side (21, 2) hints, pixels of the picture.
        wrong_side: it is taken for a hand of the other side.
        beside: (2,) how many of its own sizes the crop is off the hand, if it is.
        ghost: there is no hand of this side where it is believed to be, but one of the other side.
    """
    joints, other = in_picture(scene), given.get(_OTHER[side])
    hints = np.stack([given[side], given[side] if other is None else other])
    if beside is not None:
        hints[0] += beside * np.ptp(hints[0], axis=0).max()
    region = region_of(hints[0], (side == "left") != wrong_side)
    own = _OTHER[side] if ghost else side
    true, scale, xyz = joints[own], scale_of(region), scene.keypoints[own]
    palm = np.linalg.norm(xyz[MIDDLE_MCP] - xyz[WRIST]) * scene.camera.fx / xyz[:, 2].mean()
    return HandCrop(
        image=cut_out(scene.image, region),
        hints=moved(hints, region),
        both=other is not None,
        target=np.column_stack([moved(true[:, :2], region), scale * true[:, 2]]),
        there=beside is None and not ghost,
        right=not wrong_side,
        palm=float(palm * scale),
    )


def in_picture(scene: TrainingScene) -> dict[str, FloatArray]:
    """Per side (21, 3) joints: x, y and depth behind the wrist, all in pixels."""
    found = {}
    for side in SIDES:
        if side in scene.keypoints:
            xyz = scene.keypoints[side].astype(np.float64)
            behind = (xyz[:, 2] - xyz[WRIST, 2]) * scene.camera.fx / xyz[WRIST, 2]
            found[side] = np.column_stack([scene.camera.project(xyz), behind])
    return found


def are_near(joints: dict[str, FloatArray]) -> bool:
    """Whether there are two hands that may hide each other."""
    if len(joints) < len(SIDES):
        return False
    left, right = (joints[side] for side in SIDES)
    apart = np.linalg.norm(left[:, None, :2] - right[None, :, :2], axis=-1).min()
    palm = max(np.linalg.norm(x[MIDDLE_MCP] - x[WRIST]) for x in (left, right))
    return bool(apart < (_NEAR - 1) * palm)


def collate_crops(crops: list[HandCrop]) -> CropBatch:
    """Stack crops."""
    images = torch.from_numpy(np.stack([crop.image for crop in crops]))
    rest = {
        name: torch.tensor(np.stack([getattr(crop, name) for crop in crops])).float()
        for name in ("hints", "both", "known", "target", "right", "palm")
    }
    return CropBatch(
        image=images.permute(0, 3, 1, 2).float() / 255,
        hints=Hints(rest["hints"], rest["both"], rest["known"]),
        target=rest["target"],
        there=torch.tensor([crop.there for crop in crops]),
        right=rest["right"],
        palm=rest["palm"],
        seen=torch.tensor([crop.seen for crop in crops]),
    )


def _add_ghost(
    joints: dict[str, FloatArray],
    side: str,
    given: dict[str, FloatArray],
    rng: np.random.Generator,
) -> bool:
    """Let a hand be taken for one of the other side, too, unless there is one about there."""
    hand, other, size = given[side], _OTHER[side], np.ptp(given[side], axis=0).max()
    along = (hand[MIDDLE_MCP] - hand[WRIST]) / np.linalg.norm(hand[MIDDLE_MCP] - hand[WRIST])
    away = hand - hand[WRIST]
    if rng.random() < 0.5:  # as the other hand would lie there, else as the same outline
        away = 2 * np.outer(away @ along, along) - away
    ghost = hand[WRIST] + away + rng.normal(0, 0.1, 2) * size
    if other in joints:
        off = np.linalg.norm(joints[other][:, :2] - ghost, axis=1).mean()
        if off < size / 2:
            return False
    given[other] = ghost
    return True


def _beside(
    given: dict[str, FloatArray], side: str, known: bool, rng: np.random.Generator
) -> FloatArray | None:
    """How far the crop is off the hand; without hints it must not show the other one instead."""
    own, other = given[side], given.get(_OTHER[side])
    size = np.ptp(own, axis=0).max()
    for _ in range(_TRIES):
        off = _direction(rng)
        if rng.random() < 0.4:  # upon the forearm or its end, which a fist looks like
            down = own[WRIST] - own[MIDDLE_MCP]
            off = down / np.linalg.norm(down) * rng.uniform(0.9, 2.6)
        if known or other is None:
            return off
        middle = own.mean(0) + off * size
        if np.linalg.norm(middle - other.mean(0)) > np.ptp(other, axis=0).max():
            return off
    return None


def _seen_by(errors: CropErrors, rng: np.random.Generator) -> int:
    return int(rng.integers(1, 3)) if rng.random() < errors.seen_share else 0


def _direction(rng: np.random.Generator) -> FloatArray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(1.2, 2.0)
