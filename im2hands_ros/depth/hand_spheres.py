"""Hands of spheres along the bones: where a hand's near side is to be expected along rays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels import library
from im2hands_ros.kernels.depth import fronts
from im2hands_ros.skeleton import BONES, JOINT_COUNT, MIDDLE_MCP, WRIST

Array = NDArray[np.float64]

# Radii of the flesh around the bones in order of `BONES`, metres, of a hand whose palm is so long.
# With them the depth that drawn hands are seen at is above these spheres as often as below.
_RADII = 1e-3 * np.array(
    [
        *(24.0, 14.8, 9.7, 7.6),
        *(16.4, 8.9, 8.2, 6.6),
        *(16.3, 9.0, 7.8, 6.7),
        *(13.9, 8.5, 7.5, 6.7),
        *(19.0, 6.6, 6.2, 5.4),
    ]
)
_PALM = 0.090
_SHARES = np.array([0.3, 0.65, 1.0])
_SPHERE_RADII = np.repeat(_RADII, len(_SHARES))
_KNUCKLES = (5, 9, 13, 17)
# What of the forearm is taken for the hand's as well: metres behind the wrist, and radius there.
_ARM, _ARM_RADIUS = np.array([0.012, 0.025, 0.04, 0.055]), 0.025
# Of a sphere's radius that is flesh whatever hand it is, and however it lies across the view.
_CORE = 0.5
_AT_JOINT = np.eye(JOINT_COUNT)


def _on_bones() -> Array:
    """(K, 21) share of each joint in the centres of a hand's spheres."""
    starts, ends = (_AT_JOINT[list(joints)] for joints in zip(*BONES, strict=True))
    along = starts[:, None] + _SHARES[:, None] * (ends - starts)[:, None]
    return along.reshape(-1, JOINT_COUNT)


_ON_BONES = _on_bones()
# From the knuckles to the wrist, as shares of the joints.
_BACK = _AT_JOINT[WRIST] - _AT_JOINT[list(_KNUCKLES)].mean(axis=0)


class Fronts(NamedTuple):
    """Depths along z, metres, at which rays meet a hand; inf where they miss it.

    Attributes:
        limb: (N,) the near side of a hand with the end of its forearm.
        core: of thin spheres of the hand, which rays cannot pass through.
    """

    limb: Array
    core: Array


def fronts_of(joints: Array, rays: Array) -> Fronts:
    """Where (N, 3) rays with z = 1 meet the hand of (21, 3) joints, metres, camera frame."""
    centres, radii = _spheres(joints)
    arm_centres, arm_radii = _arm(joints)
    limb = np.concatenate([radii, arm_radii])
    core = np.concatenate([_CORE * radii, np.zeros_like(arm_radii)])
    met = _nearest(rays, np.concatenate([centres, arm_centres]), np.stack([limb, core]))
    return Fronts(met[0], met[1])


def near_side(joints: Array, rays: Array) -> Array:
    """(N,) metres along z at which rays meet the hand without the forearm."""
    centres, radii = _spheres(joints)
    return np.asarray(_nearest(rays, centres, radii[None])[0])


def _size(joints: Array) -> float:
    return float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST])) / _PALM


def _spheres(joints: Array) -> tuple[Array, Array]:
    """(K, 3) centres and (K,) radii of a hand."""
    return _ON_BONES @ joints, _size(joints) * _SPHERE_RADII


def _arm(joints: Array) -> tuple[Array, Array]:
    """The same of the end of the forearm."""
    back = _BACK @ joints
    back = back / max(float(np.linalg.norm(back)), 1e-9)
    return joints[WRIST] + _ARM[:, None] * back, np.full(len(_ARM), _size(joints) * _ARM_RADIUS)


def _nearest(rays: Array, centres: Array, radii: Array) -> Array:
    """(R, N) depth at which rays meet the first sphere, for each row of radii (R, K)."""
    kernels = library.chosen()
    if kernels:
        return fronts(kernels, rays, centres, radii)
    return nearest_in_numpy(rays, centres, radii)


def nearest_in_numpy(rays: Array, centres: Array, radii: Array) -> Array:
    """The same without the kernels."""
    length = np.sqrt((rays**2).sum(axis=1))
    along = ((rays / length[:, None]) @ centres.T).astype(np.float32)
    aside = (centres**2).sum(axis=1).astype(np.float32) - along**2
    found = []
    for row in radii:
        inside = (row**2).astype(np.float32) - aside
        missed = (inside <= 0) | (row <= 0)
        inside[missed] = 0
        met = along - np.sqrt(inside, out=inside)
        met[missed] = np.inf
        found.append(met.min(axis=1) / length)
    return np.stack(found)
