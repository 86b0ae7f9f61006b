"""What joints may do to come under a skin, and what that does to skin points on their bones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels import library
from im2hands_ros.kernels.depth import OnBones, attach, skin_step
from im2hands_ros.skeleton import BONES, JOINT_COUNT, PARENTS

Array = NDArray[np.float64]

# Standard deviations of what joints are off by before: across the ray, along it (beyond the rough
# shift), metres; turn, radians; size and relief along the ray, shares; each joint against the one
# before it, across the ray and along it, metres.
_ACROSS, _ALONG, _TURN, _SIZE, _RELIEF = 0.005, 0.012, 0.08, 0.12, 0.15
_JOINT_ACROSS, _JOINT_ALONG = 0.002, 0.005


def modes_of(joints: Array) -> Array:
    """(21, 3, M) displacements of the joints, each of one standard deviation."""
    centre = joints.mean(axis=0)
    ray = centre / np.linalg.norm(centre)
    arms, ahead = joints - centre, np.outer(ray, ray)
    moves = np.broadcast_to(_across_and_along(_ACROSS, _ALONG, ahead), (JOINT_COUNT, 3, 3))
    turns = np.einsum("jk,kac->jac", arms, _TURN * _ABOUT_AXES)
    size, relief = _SIZE * arms[:, :, None], _RELIEF * (arms @ ahead)[:, :, None]
    own = _across_and_along(_JOINT_ACROSS, _JOINT_ALONG, ahead) @ _CHAINS
    return np.concatenate([moves, turns, size, relief, own], axis=2)


def _across_and_along(across: float, along: float, ahead: Array) -> Array:
    """(3, 3) moves of these lengths, metres; ahead: (3, 3) projection onto the ray."""
    return across * np.eye(3) + (along - across) * ahead


def _chains() -> Array:
    """(21, 3, 60): a joint moves by its own steps and all those before it."""
    steps = np.zeros((JOINT_COUNT, JOINT_COUNT))
    for joint in range(1, JOINT_COUNT):
        steps[joint] = steps[PARENTS[joint]]
        steps[joint, joint] = 1.0
    return np.einsum("jk,ac->jakc", steps[:, 1:], np.eye(3)).reshape(JOINT_COUNT, 3, -1)


_CHAINS = _chains()
# (3, 3, 3): what an arm (k) moves along (a) by when it turns about an axis (c).
_ABOUT_AXES = np.stack([np.cross(axis, np.eye(3)) for axis in np.eye(3)], axis=2)


def attached(points: Array, joints: Array) -> OnBones:
    """Where (N, 3) points are on the nearest of a hand's bones."""
    kernels = library.chosen()
    return attach(kernels, points, joints) if kernels else attached_in_numpy(points, joints)


def attached_in_numpy(points: Array, joints: Array) -> OnBones:
    """The same without the kernels."""
    parents, children = np.array(BONES).T
    start, bone = joints[parents], joints[children] - joints[parents]
    square = np.maximum((bone**2).sum(axis=1), 1e-8)
    share = ((points @ bone.T) - (start * bone).sum(axis=1)) / square
    share = np.clip(share, 0, 1)
    nearest = start + share[..., None] * bone
    best = ((points[:, None] - nearest) ** 2).sum(axis=2).argmin(axis=1)
    ends = np.array(BONES, np.int32)[best]
    return OnBones(share[np.arange(len(points)), best], ends)


def carried(on_bones: OnBones, moves: Array) -> Array:
    """(N, 3) moves of points on bones whose joints make (21, 3) moves."""
    start, end = moves[on_bones.ends[:, 0]], moves[on_bones.ends[:, 1]]
    return np.asarray(start + on_bones.share[:, None] * (end - start))


def step(
    on_bones: OnBones, distance: Array, normal: Array, weight: Array, modes: Array, amounts: Array
) -> Array:
    """(M,) amounts of modes (21, 3, M) after a Gauss-Newton step, each of deviation 1 before.

    distance: (N,) of points outside of the surface, normal: (N, 3) there. weight: (N,).
    """
    kernels, given = library.chosen(), (distance, normal, weight, modes, amounts)
    return skin_step(kernels, on_bones, *given) if kernels else step_in_numpy(on_bones, *given)


def step_in_numpy(
    on_bones: OnBones, distance: Array, normal: Array, weight: Array, modes: Array, amounts: Array
) -> Array:
    """The same without the kernels."""
    start, end = modes[on_bones.ends[:, 0]], modes[on_bones.ends[:, 1]]
    moved = start + on_bones.share[:, None, None] * (end - start)
    slope = np.matmul(normal[:, None], moved)[:, 0]
    weighted = slope * weight[:, None]
    system = weighted.T @ slope + np.eye(len(amounts))
    return np.linalg.solve(system, weighted.T @ (distance + slope @ amounts))
