"""Training and evaluation samples: a picture of synthetic hands and everything known about it.

A sample is a function of its split and index alone. Between CPUs joints and skin differ by a
micrometre at most, nearly always by nothing, and so do points (in steps of their lattice) and
labels; a few pixels of the picture differ by a few levels, where rays meet edges. Splits draw their
scenes from disjoint seed ranges, so no scene of one can appear in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES, WRIST
from im2hands_ros.synthetic.background import random_background, random_light, random_receiver
from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.labels import sample_points, signed_depth
from im2hands_ros.synthetic.photography import photograph
from im2hands_ros.synthetic.poses import Scenes, sample_scenes
from im2hands_ros.synthetic.renderer import render
from im2hands_ros.synthetic.sample import (
    MASK_IDS,
    HandParameters,
    Mesh,
    PosedArrays,
    Sample,
    hand_triangles,
    moved,
    pack_depth,
    pack_points,
    pose_hand,
    unpack_depth,
    unpack_points,
)
from im2hands_ros.synthetic.shards import ShardReader, load_shard
from im2hands_ros.synthetic.skin import random_skin
from im2hands_ros.synthetic.viewpoints import Viewpoint, random_viewpoint

__all__ = ["Sample", "ShardReader", "hand_triangles", "load_shard", "make_samples"]

SPLIT_SEEDS = {"train": 1_000_000_000, "val": 2_000_000_000, "test": 3_000_000_000}
SPLIT_SIZE = 1_000_000_000
# Scenes are drawn in blocks of this many, because their penetration is resolved in batches.
BLOCK = 64
_VIEW_TRIES = 8
# Of a hand hidden almost wholly behind the other or its arm little can be learned: try again.
_PICTURE_TRIES = 3
_LEAST_HAND_PIXELS = 300


class PointCounts(NamedTuple):
    """Labelled points per hand: around the skin, and throughout the hand's box."""

    near: int
    volume: int


DEFAULT_POINTS = {
    "train": PointCounts(768, 256),
    "val": PointCounts(4096, 16384),
    "test": PointCounts(4096, 16384),
}


def make_samples(
    split: str, start: int, count: int, points: PointCounts | None = None, asset: Path = ASSET
) -> Iterator[Sample]:
    """Draw samples ``start`` to ``start + count`` of a split, one after the other.

    Args:
        split: ``train``, ``val`` or ``test``.
        points: labelled points per hand; default ``DEFAULT_POINTS[split]``.
        asset: the hand, by default the packaged one; samples of another one list its vertices.

    Raises:
        ValueError: unknown split, or indices outside its seed range.
    """
    if split not in SPLIT_SEEDS:
        raise ValueError(f"split '{split}' is unknown: use {', '.join(SPLIT_SEEDS)}")
    if start < 0 or count < 0 or start + count > SPLIT_SIZE:
        raise ValueError(f"samples {start} to {start + count}: a split has 0 to {SPLIT_SIZE}")
    counts = DEFAULT_POINTS[split] if points is None else points
    for index in range(start, start + count):
        block, place = divmod(index, BLOCK)
        scenes = scene_block(split, block, asset)
        yield _make_sample(scenes, place, SPLIT_SEEDS[split] + index, counts, asset)


@lru_cache(maxsize=2)
def scene_block(split: str, block: int, asset: Path = ASSET) -> Scenes:
    """The BLOCK scenes of a split from index block * BLOCK on."""
    return sample_scenes(BLOCK, seed=SPLIT_SEEDS[split] + block, asset=asset)


def _make_sample(scenes: Scenes, place: int, seed: int, counts: PointCounts, asset: Path) -> Sample:
    rng = np.random.default_rng(seed)
    in_scene = scene_hands(scenes, place)
    for _ in range(_PICTURE_TRIES):
        parameters, hands, view = _viewed(rng, in_scene, asset)
        picture, mask = draw_hands(rng, hands, view.camera, asset)
        if all((mask == MASK_IDS[side]).sum() >= _LEAST_HAND_PIXELS for side in hands):
            break
    drawn = DrawnHands(parameters, hands, view.camera, picture, mask, view.detail)
    return finish_sample(rng, drawn, counts, scenes, place, seed, asset)


class DrawnHands(NamedTuple):
    """The present hands in the camera frame, and the clean picture and mask drawn of them."""

    parameters: dict[str, HandParameters]
    hands: dict[str, PosedArrays]
    camera: Camera
    picture: np.ndarray
    mask: np.ndarray
    detail: float = 1.0


def finish_sample(
    rng: np.random.Generator,
    drawn: DrawnHands,
    counts: PointCounts,
    scenes: Scenes,
    place: int,
    seed: int,
    asset: Path = ASSET,
) -> Sample:
    """Label points of the hands and photograph them; what they are comes from scene ``place``."""
    points, depth = label_hands(rng, drawn.hands, counts, asset)
    both = dict.fromkeys(SIDES)
    own = asset == ASSET
    surfaces = {s: Mesh(h.surface, hand_triangles(s, asset)) for s, h in drawn.hands.items()}
    return Sample(
        jpeg=photograph(drawn.picture, rng, drawn.detail),
        camera=drawn.camera,
        mask=drawn.mask,
        keypoints=both | {side: hand.keypoints for side, hand in drawn.hands.items()},
        points=both | points,
        depth=both | depth,
        subset=str(scenes.subset[place]),
        kind=str(scenes.kind[place]),
        seed=seed,
        parameters=both | drawn.parameters if own else both,
        surfaces=None if own else both | surfaces,
        near=counts.near,
    )


def scene_hands(scenes: Scenes, place: int) -> dict[str, HandParameters]:
    """The present hands of one scene, scene frame."""
    return {
        side: HandParameters(
            *(
                np.ascontiguousarray(field[side][place].detach().numpy(), np.float32)
                for field in (scenes.pose, scenes.shape, scenes.rotation, scenes.translation)
            )
        )
        for side in SIDES
        if bool(scenes.present[side][place])
    }


def _viewed(
    rng: np.random.Generator, in_scene: dict[str, HandParameters], asset: Path
) -> tuple[dict[str, HandParameters], dict[str, PosedArrays], Viewpoint]:
    """Choose a camera that is not inside an arm, and the hands in its frame."""
    joints = [pose_hand(side, given, asset).keypoints for side, given in in_scene.items()]
    for _ in range(_VIEW_TRIES):
        view = random_viewpoint(rng, joints)
        parameters = {
            side: moved(given, view.rotation, view.translation) for side, given in in_scene.items()
        }
        hands = {side: pose_hand(side, given, asset) for side, given in parameters.items()}
        if all(is_clear(hand) for hand in hands.values()):
            break
    return parameters, hands, view


def is_clear(hand: PosedArrays) -> bool:
    """Whether the hand is well in front of the camera and the forearm keeps off it."""
    nearest = np.einsum("ij,ij->i", hand.skin, hand.skin).min()
    return hand.surface[:, 2].min() > 0.1 and nearest > 0.08**2


def draw_hands(
    rng: np.random.Generator, hands: dict[str, PosedArrays], camera: Camera, asset: Path = ASSET
) -> tuple[np.ndarray, np.ndarray]:
    """A clean picture of the hands under a light and before a background drawn by chance.

    Returns:
        (H, W, 3) uint8 RGB in the camera's size; (H, W) uint8 mask, see ``MASK_IDS``.
    """
    skin = random_skin(rng)
    depth = max(float(hand.surface[:, 2].max()) for hand in hands.values())
    picture, ids = render(
        [hand_part(side, hand.skin, skin, asset) for side, hand in hands.items()],
        camera,
        random_light(rng),
        random_background(rng, camera.height, camera.width),
        random_receiver(rng, depth),
    )
    return picture, np.maximum(ids, 0).astype(np.uint8)


def label_hands(
    rng: np.random.Generator,
    hands: dict[str, PosedArrays],
    counts: PointCounts,
    asset: Path = ASSET,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Points on their storage lattice and their labels, so that storing them loses nothing."""
    points, depth = {}, {}
    for side, hand in hands.items():
        triangles = hand_triangles(side, asset)
        drawn = sample_points(hand.surface, triangles, rng, *counts)
        wrist = hand.keypoints[WRIST]
        points[side] = unpack_points(pack_points(drawn, wrist), wrist)
        depth[side] = quantise_depth(signed_depth(hand.surface, triangles, points[side]))
    return points, depth


def quantise_depth(depth: np.ndarray) -> np.ndarray:
    """(N,) metres to what ``pack_depth`` keeps; the sign never changes."""
    return unpack_depth(pack_depth(depth))
