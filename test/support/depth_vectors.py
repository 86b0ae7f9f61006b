"""Inputs of the kernels of depth images and of the JPEG reader, and what is right for them: for
tests here, and for test/kernels/depth_equality.cpp on another processor."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from two_hands import joints

from im2hands_ros.depth import hand_spheres, joint_moves, likely_shifts, pixels
from im2hands_ros.depth.hand_spheres import Fronts
from im2hands_ros.kernels.depth import OnBones

GRIDS = np.array([[5, 9, 80, 60, 3], [40, 20, 150, 119, 2]], np.int32)
_POINTS = 189


def noisy_depth(seed: int = 0) -> np.ndarray:
    """A step between two noisy planes, with holes."""
    random = np.random.default_rng(seed)
    depth = np.where(np.arange(160) < 90, 0.5, 0.7) + random.normal(0, 0.002, (120, 160))
    depth[random.random(depth.shape) < 0.2] = 0
    depth[random.random(depth.shape) < 0.05] = np.nan
    return depth.astype(np.float32)


def rays_and_hands(count: int = 700) -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(1)
    hands = [joints(side, 0.04, 0.5).astype(np.float64) for side in ("left", "right")]
    places = np.concatenate(hands)
    near = places[random.integers(len(places), size=count)] + random.normal(0, 0.015, (count, 3))
    return near / near[:, 2:], hands


def rows_of_spheres(hand: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres, and three rows of radii; some spheres are not in the last one."""
    centres, radii = hand_spheres._spheres(hand)
    some = np.where(np.arange(len(radii)) < 9, radii, 0)
    return centres, np.stack([radii, 0.5 * radii, some])


class SeenHands(NamedTuple):
    """Pixels that show hands, and near sides of hands that are off by some metres."""

    depth: np.ndarray
    shown: np.ndarray
    given: list[Fronts]


def one_before_the_other(count: int, off: float) -> SeenHands:
    """The first hand, or both, of which each is further away than it is taken for."""
    rays, hands = rays_and_hands()
    hands[1] = hands[1] + (hands[0] - hands[1]).mean(axis=0) + [0.03, 0, 0.02]
    true = [hand_spheres.fronts_of(xyz, rays) for xyz in hands[:count]]
    random = np.random.default_rng(2)
    depth = np.minimum.reduce([each.limb for each in true])
    depth = np.where(np.isfinite(depth), depth, 0.8) + random.normal(0, 0.003, len(rays))
    given = [hand_spheres.fronts_of(xyz * (1 + off / 0.5), rays) for xyz in hands[:count]]
    return SeenHands(depth, np.where(depth < 0.7, 0.9, 0.1), given)


class Step(NamedTuple):
    """What a step of the fit is given, as `joint_moves.step` takes it."""

    on_bones: OnBones
    distance: np.ndarray
    normal: np.ndarray
    weight: np.ndarray
    modes: np.ndarray
    amounts: np.ndarray


def points_on_hand(seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    hand = rays_and_hands()[1][1]
    random = np.random.default_rng(seed)
    return hand.repeat(9, axis=0) + random.normal(0, 0.01, (_POINTS, 3)), hand


def drawn_step() -> Step:
    points, hand = points_on_hand()
    random = np.random.default_rng(5)
    normal = random.normal(0, 1, (_POINTS, 3))
    weight = np.where(random.random(_POINTS) < 0.3, 0, random.random(_POINTS)) / 0.004**2
    modes = joint_moves.modes_of(hand)
    return Step(
        joint_moves.attached_in_numpy(points, hand),
        random.normal(0, 0.004, _POINTS),
        normal / np.linalg.norm(normal, axis=1)[:, None],
        weight,
        modes,
        random.normal(0, 1, modes.shape[2]),
    )


def arrays() -> list[np.ndarray]:
    """In the order that depth_equality.cpp reads."""
    return [*_pixels(), *_fronts(), *_steps(), *_points(), *_fit(), *_files()]


def _pixels() -> list[np.ndarray]:
    depth, alike = noisy_depth(), pixels._ALIKE
    known = pixels.known_pixels(depth, GRIDS)
    limits = np.array([*depth.shape, *alike], np.float64)
    return [depth, _whole(GRIDS), limits, _whole(known.places), known.depth, known.deviation]


def _fronts() -> list[np.ndarray]:
    rays, hands = rays_and_hands()
    centres, radii = rows_of_spheres(hands[0])
    return [rays, centres, radii, hand_spheres.nearest_in_numpy(rays, centres, radii)]


def _steps() -> list[np.ndarray]:
    """Of two hands, then of one."""
    tried, chances = likely_shifts._FAR, np.array(likely_shifts._CHANCES)
    parts = [tried, chances]
    for count, off in ((2, 0.012), (1, -0.008)):
        seen = one_before_the_other(count, off)
        best = likely_shifts.steps_in_numpy(seen.depth, seen.given, seen.shown, tried)
        limbs, cores = (np.stack(part) for part in zip(*seen.given, strict=True))
        numbers = [int(np.flatnonzero(tried == step)[0]) for step in best]
        parts += [seen.depth, limbs, cores, seen.shown, np.array(numbers, np.int64)]
    return parts


def _points() -> list[np.ndarray]:
    """Also how far the points are carried by moves of the joints."""
    points, hand = points_on_hand()
    moves = np.random.default_rng(6).normal(0, 1, (21, 3))
    carried = joint_moves.carried(joint_moves.attached_in_numpy(points, hand), moves)
    return [points, hand, moves, carried]


def _fit() -> list[np.ndarray]:
    step = drawn_step()
    found = joint_moves.step_in_numpy(*step)
    return [step.on_bones.share, _whole(step.on_bones.ends), *step[1:], found]


def _files() -> list[np.ndarray]:
    """JPEG files and what is to be answered: 0 whole, 1 not looked at, -1 damaged."""
    picture = np.random.default_rng(2).integers(0, 256, (40, 56, 3), np.uint8)
    whole = cv2.imencode(".jpg", picture)[1]
    restarting = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_RST_INTERVAL, 3))[1]
    progressive = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1]
    middle = len(whole) // 2
    lost = np.concatenate([whole[:middle], whole[middle + 600 :]])
    files = [whole, restarting, progressive, lost, whole[:-40]]
    return [np.array([0, 0, 1, -1, -1], np.int64), *(_whole(each) for each in files)]


def _whole(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.int64)
