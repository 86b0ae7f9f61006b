"""Whole pictures of a camera, and the depth image of a camera beside it.

The samples of `dataset` are crops around the hands. A hand detector needs the picture that a camera
takes, with the hands anywhere in it: here the same scenes, seen from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.dataset import (
    BLOCK,
    SPLIT_SEEDS,
    DrawnHands,
    PointCounts,
    draw_hands,
    finish_sample,
    is_clear,
    scene_block,
    scene_hands,
)
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.raytracing import RayScene, pixel_rays
from im2hands_ros.synthetic.sample import (
    MASK_IDS,
    HandParameters,
    PosedArrays,
    Sample,
    moved,
    pose_hand,
)
from im2hands_ros.synthetic.scenes import Scenes
from im2hands_ros.synthetic.skin import random_skin
from im2hands_ros.synthetic.viewpoints import random_rotation

CAMERA = Camera(640, 480, 560.0, 560.0, 319.5, 239.5)
POINTS = PointCounts(near=0, volume=8192)
_DISTANCES = (0.35, 0.7)  # metres
_MARGIN = 8  # pixels that keypoints keep from the picture's edge
_WALL = (0.05, 0.6)  # metres behind the hands: a desk or a wall
_VIEW_TRIES = 100
_PICTURE_TRIES = 5
_LEAST_HAND_PIXELS = 1200


class CameraPicture(NamedTuple):
    """A sample whose picture is the whole image of ``CAMERA``, all its points in the hands' boxes.

    depth: (480, 640) float32 metres along z, of the hands, the forearms and a wall behind them.
    """

    sample: Sample
    depth: np.ndarray


def camera_pictures(split: str, start: int, count: int) -> Iterator[CameraPicture]:
    """Pictures ``start`` to ``start + count`` of a split; each depends on its index alone.

    A scene whose hands do not fit into the picture, or hide each other wholly, is left out, so
    there may be fewer.
    """
    for index in range(start, start + count):
        block, place = divmod(index, BLOCK)
        picture = _picture(scene_block(split, block), place, SPLIT_SEEDS[split] + index)
        if picture is not None:
            yield picture


def _picture(scenes: Scenes, place: int, seed: int) -> CameraPicture | None:
    # Beside the seed, so that these draws are none of the sample's with the same seed.
    rng = np.random.default_rng((seed, 1))
    for _ in range(_PICTURE_TRIES):
        parameters = _placed(rng, scene_hands(scenes, place))
        hands = {side: pose_hand(side, given) for side, given in parameters.items()}
        picture, mask = draw_hands(rng, hands, CAMERA)
        if hands and all((mask == MASK_IDS[side]).sum() >= _LEAST_HAND_PIXELS for side in hands):
            break
    else:
        return None
    drawn = DrawnHands(parameters, hands, CAMERA, picture, mask)
    sample = finish_sample(rng, drawn, POINTS, scenes, place, seed)
    return CameraPicture(sample, depth_image(rng, hands))


def _placed(
    rng: np.random.Generator, in_scene: dict[str, HandParameters]
) -> dict[str, HandParameters]:
    """The hands somewhere in the picture, turned somehow; none where they do not fit."""
    joints = [pose_hand(side, given).keypoints for side, given in in_scene.items()]
    for _ in range(_VIEW_TRIES):
        rotation = random_rotation(rng, joints)
        turned = np.concatenate(joints) @ rotation.T
        middle = (turned.min(axis=0) + turned.max(axis=0)) / 2
        corner = CAMERA.back_project(np.array([[CAMERA.width, CAMERA.height]]), np.ones(1))[0]
        ray = (*(rng.uniform(-0.9, 0.9, 2) * corner[:2]), 1.0)
        centre = np.exp(rng.uniform(*np.log(_DISTANCES))) * np.array(ray)
        parameters = {
            side: moved(given, rotation, centre - middle) for side, given in in_scene.items()
        }
        if _fits([pose_hand(side, given) for side, given in parameters.items()]):
            return parameters
    return {}


def _fits(hands: list[PosedArrays]) -> bool:
    if not all(is_clear(hand) for hand in hands):
        return False
    pixels = np.concatenate([CAMERA.project(hand.keypoints) for hand in hands])
    most = (CAMERA.width - 1 - _MARGIN, CAMERA.height - 1 - _MARGIN)
    return bool((pixels >= _MARGIN).all() and (pixels <= most).all())


def depth_image(rng: np.random.Generator, hands: dict[str, PosedArrays]) -> np.ndarray:
    """(480, 640) float32 metres along z: a perfect depth camera's image, registered."""
    skin = random_skin(rng)
    scene = RayScene([hand_part(side, hand.skin, skin) for side, hand in hands.items()])
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width].astype(np.float32)
    met = scene.cast(pixel_rays(CAMERA, u.ravel(), v.ravel()))
    farthest = max(float(hand.surface[:, 2].max()) for hand in hands.values())
    # The rays' z is 1, so distances along them are depths.
    depth = np.where(met.hit, met.distance, farthest + rng.uniform(*_WALL))
    return depth.reshape(CAMERA.height, CAMERA.width).astype(np.float32)
