"""Hands of spheres along the bones: where a hand's near side is to be expected along rays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import BONES, MIDDLE_MCP, WRIST

Array = NDArray[np.float64]

# Radii of the flesh around the bones in order of `BONES`, metres, of a hand whose palm is so long.
_RADII = np.array([14, 12, 11, 9, *(13, 9.5, 8.5, 7.5) * 3, 12, 8.5, 7.5, 6.5]) * 1e-3
_PALM = 0.090
_SHARES = np.array([0.3, 0.65, 1.0])
_KNUCKLES = (5, 9, 13, 17)
# What of the forearm is taken for the hand's as well: metres behind the wrist, and radius there.
_ARM, _ARM_RADIUS = np.array([0.012, 0.025, 0.04, 0.055]), 0.024
# Of a sphere's radius that is flesh whatever hand it is, and however it lies across the view.
_CORE = 0.5


class Fronts(NamedTuple):
    """Depths along z, metres, at which rays meet a hand; inf where they miss it.

    Attributes:
        hand: (N,) its near side. limb: the same with the end of the forearm.
        core: of thin spheres, which rays cannot pass through.
    """

    hand: Array
    limb: Array
    core: Array


def fronts_of(joints: Array, rays: Array) -> Fronts:
    """Where (N, 3) rays with z = 1 meet the hand of (21, 3) joints, metres, camera frame."""
    parents, children = np.array(BONES).T
    size = float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST])) / _PALM
    start, end = joints[parents], joints[children]
    centres = (start[:, None] + _SHARES[:, None] * (end - start)[:, None]).reshape(-1, 3)
    back = joints[WRIST] - joints[list(_KNUCKLES)].mean(axis=0)
    back = back / max(float(np.linalg.norm(back)), 1e-9)
    centres = np.concatenate([centres, joints[WRIST] + _ARM[:, None] * back])
    radii = size * np.concatenate(
        [np.repeat(_RADII, len(_SHARES)), np.full(len(_ARM), _ARM_RADIUS)]
    )
    length = np.sqrt((rays**2).sum(axis=1))
    along = rays @ centres.T / length[:, None]
    aside = (centres**2).sum(axis=1) - along**2
    of_hand = len(centres) - len(_ARM)

    def nearest(radii: Array, count: int) -> Array:
        inside = radii[:count] ** 2 - aside[:, :count]
        met = along[:, :count] - np.sqrt(np.maximum(inside, 0))
        return np.where(inside > 0, met, np.inf).min(axis=1) / length

    hand = nearest(radii, of_hand)
    arm = nearest(np.concatenate([np.zeros(of_hand), radii[of_hand:]]), len(centres))
    return Fronts(hand, np.minimum(hand, arm), nearest(_CORE * radii, of_hand))
