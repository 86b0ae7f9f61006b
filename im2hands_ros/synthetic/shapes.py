"""Samples without a picture: what networks that see keypoints alone learn a hand's shape from.

They take a tenth of the time of drawn scenes, so that many people can be drawn. Their hands have
nothing to do with each other; a sample's picture is grey and its mask empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.dataset import (
    BLOCK,
    DEFAULT_POINTS,
    SPLIT_SEEDS,
    PointCounts,
    label_hands,
    scene_hands,
)
from im2hands_ros.synthetic.drafts import draft
from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.sample import (
    Mesh,
    PosedArrays,
    Sample,
    hand_triangles,
    moved,
    pose_hand,
)
from im2hands_ros.synthetic.scenes import Scenes, from_pair, tools

_SIZE = 256
_CAMERA = Camera(_SIZE, _SIZE, 300.0, 300.0, (_SIZE - 1) / 2, (_SIZE - 1) / 2)
_NEAREST, _FURTHEST = 0.3, 0.8


def make_shapes(
    split: str, start: int, count: int, points: PointCounts | None = None, asset: Path = ASSET
) -> Iterator[Sample]:
    """Samples ``start`` to ``start + count`` of a split; arguments as `make_samples`'s."""
    counts = DEFAULT_POINTS[split] if points is None else points
    for index in range(start, start + count):
        block, place = divmod(index, BLOCK)
        scenes = _poses(SPLIT_SEEDS[split] + block, asset)
        rng = np.random.default_rng(SPLIT_SEEDS[split] + index)
        hands = {
            side: pose_hand(side, moved(given, *_somewhere(given.translation, rng)), asset)
            for side, given in scene_hands(scenes, place).items()
        }
        yield _sample(rng, hands, counts, SPLIT_SEEDS[split] + index, asset)


def _sample(
    rng: np.random.Generator,
    hands: dict[str, PosedArrays],
    counts: PointCounts,
    seed: int,
    asset: Path,
) -> Sample:
    points, depth = label_hands(rng, hands, counts, asset)
    return Sample(
        jpeg=_blank(),
        camera=_CAMERA,
        mask=np.zeros((_SIZE, _SIZE), np.uint8),
        keypoints={side: hand.keypoints for side, hand in hands.items()},
        points=dict(points),
        depth=dict(depth),
        subset="apart",
        kind="apart",
        seed=seed,
        parameters=dict.fromkeys(SIDES),
        surfaces={s: Mesh(hand.surface, hand_triangles(s, asset)) for s, hand in hands.items()},
        near=counts.near,
    )


@lru_cache(maxsize=2)
def _poses(seed: int, asset: Path) -> Scenes:
    """BLOCK pairs of hands in poses of their own."""
    hand, proxies = tools(asset)
    generator = torch.Generator().manual_seed(seed)
    kinds = np.full(BLOCK, "apart")
    pair, _ = draft(hand, proxies, kinds, generator)
    everywhere = {side: np.ones(BLOCK, bool) for side in SIDES}
    return from_pair(pair, kinds, kinds, everywhere)


def _somewhere(translation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Any rotation, and the translation that brings a hand at ``translation`` before the camera."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    depth = rng.uniform(_NEAREST, _FURTHEST)
    place = depth * np.array([*rng.uniform(-0.2, 0.2, 2), 1.0])
    return rotation, place - rotation @ translation


@lru_cache(maxsize=1)
def _blank() -> bytes:
    return cv2.imencode(".jpg", np.full((_SIZE, _SIZE, 3), 128, np.uint8))[1].tobytes()
