"""Joints moved so that a hand's surface goes through the skin that a depth camera sees.

The implicit field says how far each point is from the surface and in which direction. A few robust
Gauss-Newton steps over what joints may do: the hand moves, mostly along its viewing rays, turns,
is larger or smaller, and its bones move a little against each other. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import BONES, JOINT_COUNT, PARENTS

Array = NDArray[np.float64]
Depth = Callable[[Array], Array]
"""(N, 3) points, camera frame, metres -> (N,) metres under the skin, positive inside."""

_STEPS = 3
_DIFFERENCE = 0.001  # metres between the points of a finite difference
# Standard deviations of what joints are off by before: across the ray, along it (beyond the rough
# shift), metres; turn, radians; size, share; each joint against the one before it, metres.
_ACROSS, _ALONG, _TURN, _SIZE, _JOINT = 0.005, 0.010, 0.05, 0.05, 0.003
# Standard deviation of a skin point, metres: camera, and a field that is not this very hand's.
# Errors of neighbouring points are alike: all of a hand together count as so many.
_POINT, _COUNT = 0.004, 60.0
_OUTLIER = 0.004  # metres, at which a point counts half
_FARTHEST = 0.025
# Joints that would move by less than this stay: so little is the camera's and the field's error.
_RAMP = (0.003, 0.006)
_FACING = 0.15  # cosine between normal and ray below which skin is seen too flat


def fitted_joints(joints: NDArray[np.floating], points: Array, depth: Depth) -> Array:
    """Joints of a hand whose surface goes through points of its skin.

    Args:
        joints: (21, 3) metres, camera frame; the field's own.
        points: (N, 3) of the skin, camera frame, metres.
        depth: the field of the hand with these joints.

    Returns:
        (21, 3) metres.
    """
    xyz = np.asarray(joints, np.float64)
    modes = _modes(xyz)
    share, parent, child = _attached(points, xyz)
    carried = (1 - share)[:, None, None] * modes[parent] + share[:, None, None] * modes[child]
    amounts = np.zeros(modes.shape[2])
    for _ in range(_STEPS):
        # The field stays where it is; the points go back by what the hand has moved.
        distance, normal = _distance_and_normal(points - carried @ amounts, depth)
        weight = _weights(distance, normal, points)
        slope = np.einsum("nc,ncm->nm", normal, carried)
        target = distance + slope @ amounts
        system = (slope * weight[:, None]).T @ slope + np.eye(len(amounts))
        amounts = np.linalg.solve(system, (slope * weight[:, None]).T @ target)
    move = modes @ amounts
    largest = float(np.sqrt((move**2).sum(axis=1).mean()))
    low, high = _RAMP
    return xyz + move * np.clip((largest - low) / (high - low), 0, 1)


def _modes(joints: Array) -> Array:
    """(21, 3, M) displacements of the joints, each of one standard deviation."""
    centre = joints.mean(axis=0)
    along = centre / np.linalg.norm(centre)
    whole = _ACROSS * np.eye(3) + (_ALONG - _ACROSS) * np.outer(along, along)
    arms = joints - centre
    moves = np.broadcast_to(whole, (JOINT_COUNT, 3, 3))
    turns = np.stack([np.cross(axis, arms) for axis in _TURN * np.eye(3)], axis=2)
    size = _SIZE * arms[:, :, None]
    return np.concatenate([moves, turns, size, _JOINT * _CHAINS], axis=2)


def _chains() -> Array:
    """(21, 3, 60): a joint moves by its own steps and all those before it."""
    steps = np.zeros((JOINT_COUNT, JOINT_COUNT))
    for joint in range(1, JOINT_COUNT):
        steps[joint] = steps[PARENTS[joint]]
        steps[joint, joint] = 1.0
    return np.einsum("jk,ac->jakc", steps[:, 1:], np.eye(3)).reshape(JOINT_COUNT, 3, -1)


_CHAINS = _chains()


def _attached(points: Array, joints: Array) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Of (N, 3) points: how far along the nearest bone they lie, 0 to 1, and its two joints."""
    parents, children = np.array(BONES).T
    start, bone = joints[parents], joints[children] - joints[parents]
    square = np.maximum((bone**2).sum(axis=1), 1e-8)
    share = ((points @ bone.T) - (start * bone).sum(axis=1)) / square
    share = np.clip(share, 0, 1)
    nearest = start + share[..., None] * bone
    best = ((points[:, None] - nearest) ** 2).sum(axis=2).argmin(axis=1)
    return share[np.arange(len(points)), best], parents[best], children[best]


def _distance_and_normal(points: Array, depth: Depth) -> tuple[Array, Array]:
    """(N,) metres outside of the surface, (N, 3) outward unit normals, by finite differences."""
    moved = points[:, None] + _DIFFERENCE * np.vstack([np.zeros(3), np.eye(3)])
    values = depth(moved.reshape(-1, 3)).reshape(-1, 4)
    gradient = (values[:, :1] - values[:, 1:]) / _DIFFERENCE
    slope = np.linalg.norm(gradient, axis=1)
    # Where the field is flat it says nothing about a direction.
    normal = gradient / np.maximum(slope, 0.3)[:, None]
    return -values[:, 0] / np.maximum(slope, 0.3), normal


def _weights(distance: Array, normal: Array, points: Array) -> Array:
    """(N,) inverse variances; those far off, and those not seen from the front, count less."""
    towards = -(normal * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    robust = 1 / (1 + (distance / _OUTLIER) ** 2)
    used = robust * (towards > _FACING) * (np.abs(distance) < _FARTHEST)
    total = max(float(used.sum()), 1e-9)
    return used * min(1.0, _COUNT / total) / _POINT**2
