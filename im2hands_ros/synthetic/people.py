"""Hands of other people: other proportions, flesh, wrists and sizes of one rig.

What differs between people beside the bones: how thick the balls of the thumb and of the little
finger are, the palm, its back, the bases of the fingers and the fingers themselves; how wide the
wrist is, how the forearm goes on, and how far behind the wrist a model's surface ends. The rest
frame is that of `BakedHand`: x to the thumb's side, y to the middle knuckle, z out of the palm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from im2hands_ros.synthetic.proportions import KNUCKLE_SLIDE, scaled, vary

Arrays = Mapping[str, np.ndarray]
Array = NDArray[np.floating]

# Of the usual size, whose palm is about 88 mm from wrist to middle knuckle: of children to large
# hands. Lengths below are those of a hand of the usual size.
SIZES = (0.72, 1.28)


class Region(NamedTuple):
    """Flesh around a place: thicker or thinner by up to `thickness`, metres, fading with distance.

    joints: keypoints in whose middle it lies; offset: from there; reach: standard deviation of the
    fading; facing: only skin that looks this way; none at zero.
    """

    joints: tuple[int, ...]
    offset: tuple[float, float, float]
    reach: float
    thickness: tuple[float, float]
    facing: float = 0.0


_THENAR = Region((1, 2), (0.0, 0.0, 0.012), 0.016, (-0.011, 0.004), 1.0)
_HYPOTHENAR = Region((0, 17), (-0.005, 0.0, 0.010), 0.018, (-0.006, 0.004), 1.0)
_PALM = Region((0, 9), (0.0, 0.010, 0.008), 0.020, (-0.004, 0.003), 1.0)
_BACK = Region((0, 9), (0.0, 0.010, -0.008), 0.028, (-0.003, 0.004), -1.0)
_REGIONS = (_THENAR, _HYPOTHENAR, _PALM, _BACK)
# Of all fingers alike, and of each by itself: bases, middle joints, last joints and tips.
_BASES, _MIDDLES, _LASTS, _TIPS = (5, 9, 13, 17), (6, 10, 14, 18), (7, 11, 15, 19), (8, 12, 16, 20)
_FINGERS = (
    (_BASES, 0.011, (-0.003, 0.002)),
    (_MIDDLES, 0.009, (-0.0015, 0.0015)),
    (_LASTS, 0.008, (-0.0012, 0.0012)),
    (_TIPS, 0.007, (-0.001, 0.0015)),
    ((2,), 0.012, (-0.004, 0.002)),
    ((3, 4), 0.009, (-0.0015, 0.002)),
)
_OWN = 0.0007  # standard deviation of one finger's own difference
# Skin moves inwards by this share of its distance to the nearest joint at most.
_THINNEST = 0.45
# A smooth field over the skin beside the regions: standard deviation, length, number of waves.
_UNEVEN, _WAVELENGTH, _WAVES = 0.0008, 0.12, 12
# Keypoints cannot tell wrists, so a network learns their middle. Shares of the wrist's usual width
# and thickness, and of the forearm's end, in wrists.
_FLATNESS, _FOREARM, _FOREARM_LENGTH = (0.88, 1.14), (0.75, 1.4), 0.15
_WRIST_Y, _WRIST_FADE = 0.005, 0.045  # where the wrist's girth holds, and where it has faded
# How far the surface's end that moves fades, and how far the wrist's joint makes room for it.
_END_FADE, _ROOM = 0.032, 0.8


class Spread(NamedTuple):
    """How much people differ from a rig.

    slides: metres that knuckles move along their metacarpals; wrist: its girth; end: metres along y
    that the surface's end moves; centred: flesh becomes thinner as often as thicker, half as much.
    """

    slides: tuple[float, float]
    wrist: tuple[float, float]
    end: tuple[float, float]
    centred: bool


# The packaged hand's flesh is thick at the thenar and its wrist wide, it ends 13 mm behind the
# wrist's keypoint, and its knuckles bend at the web of the fingers; of other rigs some do so.
PACKAGED = Spread(KNUCKLE_SLIDE, (0.66, 1.2), (-0.010, 0.010), centred=False)
OTHER = Spread((-0.007, 0.007), (0.82, 1.2), (-0.010, 0.004), centred=True)


def person(asset: Arrays, seed: int, spread: Spread = PACKAGED) -> dict[str, np.ndarray]:
    """The arrays of one person's hand in the format of `BakedHand`; a function of the seed."""
    rng = np.random.default_rng((seed, 0x7065))
    hand = vary(asset, rng, spread.slides)
    thickness = _thickness(hand, rng, spread.centred)
    moved = hand["vertices"] + thickness[:, None] * _normals(hand)
    end = rng.uniform(*spread.end)
    hand["vertices"] = _with_wrist(moved, hand["wrist_loop"], end, rng, spread.wrist).astype(
        np.float32
    )
    hand["keypoints"][0, 1] += _ROOM * max(end, 0.0)
    return scaled(hand, rng.uniform(*SIZES))


def _thickness(hand: Arrays, rng: np.random.Generator, centred: bool) -> Array:
    """(V,) metres that the skin moves outwards."""
    skin, joints, normals = hand["vertices"], hand["keypoints"], _normals(hand)
    total = _unevenness(skin, rng)
    strength = rng.uniform(0, 1)
    for region in _REGIONS:
        place = joints[list(region.joints)].mean(0) + region.offset
        seen = np.clip(normals[:, 2] * region.facing, 0, 1)
        amount = strength * rng.uniform(*_limits(region.thickness, centred))
        total += amount * seen * _near(skin, place, region.reach)
    for fingers, reach, limits in _FINGERS:
        common = strength * rng.uniform(*_limits(limits, centred))
        for joint in fingers:
            amount = common + rng.normal(0, _OWN)
            total += amount * _near(skin, joints[joint], reach)
    to_joint = cKDTree(joints).query(skin)[0]
    return np.maximum(total, -_THINNEST * to_joint)


def _limits(thickness: tuple[float, float], centred: bool) -> tuple[float, float]:
    half = (thickness[1] - thickness[0]) / 4
    return (-half, half) if centred else thickness


def _near(skin: Array, place: Array, reach: float) -> Array:
    return np.exp(-((skin - place) ** 2).sum(1) / (2 * reach**2))


def _unevenness(skin: Array, rng: np.random.Generator) -> Array:
    directions = rng.normal(0, 2 * np.pi / _WAVELENGTH, (_WAVES, 3))
    waves = np.cos(skin @ directions.T + rng.uniform(0, 2 * np.pi, _WAVES))
    return _UNEVEN * waves @ rng.normal(0, np.sqrt(2 / _WAVES), _WAVES)


def _with_wrist(
    skin: Array,
    loop: Array,
    end: float,
    rng: np.random.Generator,
    girths: tuple[float, float],
) -> Array:
    """Another wrist and forearm, and another place where the hand's surface ends."""
    skin = skin.copy()
    skin[:, 1] += end * _fading(skin[:, 1], 0.0, _END_FADE)
    girth = rng.uniform(*girths)
    around = girth * np.array([1.0, rng.uniform(*_FLATNESS)])
    hold = _fading(skin[:, 1], _WRIST_Y, _WRIST_FADE)[:, None]
    behind = np.clip(-skin[:, 1:2] / _FOREARM_LENGTH, 0, 1)
    factor = 1 + hold * (around * (1 + behind * (rng.uniform(*_FOREARM) - 1)) - 1)
    middle = skin[loop][:, [0, 2]].mean(0)
    skin[:, [0, 2]] = middle + factor * (skin[:, [0, 2]] - middle)
    return skin


def _fading(along: Array, start: float, end: float) -> Array:
    """1 up to the start, 0 from the end on, smooth between."""
    share = np.clip((along - start) / (end - start), 0, 1)
    return 1 - share**2 * (3 - 2 * share)


def _normals(hand: Arrays) -> Array:
    """(V, 3) unit normals of the skin, outward."""
    skin, faces = hand["vertices"].astype(np.float64), hand["faces"]
    a, b, c = (skin[faces[:, corner]] for corner in range(3))
    total = np.zeros_like(skin)
    for corner in range(3):
        np.add.at(total, faces[:, corner], np.cross(b - a, c - a))
    return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)
