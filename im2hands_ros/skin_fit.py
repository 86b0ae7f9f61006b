"""Joints moved so that the hands' surfaces go through the skin that a depth camera sees.

The implicit fields say how far each point is from each surface and in which direction. A few robust
Gauss-Newton steps over what joints may do: a hand moves, mostly along its viewing rays, turns, is
larger or smaller, and its bones move a little against each other. In every step a point belongs to
a hand by how well it fits there and how badly to the other one. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.depth_pixels import DepthPixels
from im2hands_ros.hand_spheres import near_side
from im2hands_ros.skeleton import BONES, JOINT_COUNT, PARENTS

Array = NDArray[np.float64]
Depth = Callable[[Array], Array]
"""(N, 3) points, camera frame, metres -> (N,) metres under the skin, positive inside."""

_STEPS = 4
_DIFFERENCE = 0.001  # metres between the points of a finite difference
# Standard deviations of what joints are off by before: across the ray, along it (beyond the rough
# shift), metres; turn, radians; size, share; each joint against the one before it, metres.
_ACROSS, _ALONG, _TURN, _SIZE, _JOINT = 0.005, 0.010, 0.05, 0.08, 0.003
# Standard deviation of a skin point, metres: camera, and a field that is not this very hand's.
# Errors of neighbouring points are alike: all of a hand together count as so many.
_POINT, _COUNT = 0.004, 100.0
_OUTLIER = 0.004  # metres, at which a point counts half
_FARTHEST = 0.025
_FACING = 0.15  # cosine between normal and ray below which skin is seen too flat
# Points within this of the expected near side may be a hand's, as many of them at most.
_NEAR, _MOST_POINTS = 0.03, 160
_FEWEST = 15
_LEAST_SHOWN = 0.15  # probability that a pixel shows a hand
# Which hand's a point is: deviation of the right hand's, and metres in which anything else may be.
_OWN, _RANGE = 0.005, 0.3
# A hand stays while its observed skin is as near to its surface as the noise of the camera and of
# the field (metres) let expect: up to these ratios of the median distance.
_FIELD, _STAYS, _MOVES = 0.001, 1.5, 2.2
_HALF = 0.6745  # of a standard deviation: the median of what is normally distributed


def fitted_joints(
    joints: Mapping[str, Array],
    pixels: DepthPixels,
    shown: Array,
    shifts: Mapping[str, Array],
    depths: Mapping[str, Depth],
) -> dict[str, Array]:
    """Joints of hands whose surfaces go through the skin that is seen.

    Args:
        joints: by side (21, 3) metres, camera frame; the fields' own.
        pixels: of the depth image. shown: (N,) probability that one shows a hand.
        shifts: by side (3,) metres by which the joints must move at least roughly.
        depths: the fields of the hands with these joints.

    Returns:
        By side (21, 3) metres; a hand that fits already is unchanged to the last digit.
    """
    fits, still = {}, set()
    for side, xyz in joints.items():
        unmoved = _HandFit(xyz, pixels, shown, np.zeros(3), depths[side])
        if unmoved.fits_already():  # whatever else it might explain elsewhere
            fits[side] = unmoved
            still.add(side)
        else:
            fits[side] = _HandFit(xyz, pixels, shown, shifts[side], depths[side])
    for _ in range(_STEPS):
        near = {side: fit.likelihood() for side, fit in fits.items()}
        everything = shown * sum(near.values()) + (1 - shown) / _RANGE + 1e-9
        for side in fits.keys() - still:
            fits[side].step(shown * near[side] / everything)
    return {s: joints[s] if s in still else fit.moved_joints() for s, fit in fits.items()}


class _HandFit:
    """One hand of a fit: its points, and how far it was moved."""

    def __init__(
        self, joints: Array, pixels: DepthPixels, shown: Array, shift: Array, depth: Depth
    ) -> None:
        self._joints, self._shift, self._depth = joints, shift, depth
        self._noise = pixels.noise
        front = near_side(joints + shift, pixels.rays)
        own = np.flatnonzero((np.abs(pixels.depth - front) < _NEAR) & (shown > _LEAST_SHOWN))
        self._own = own[:: max(1, -(-len(own) // _MOST_POINTS))]
        self._pixels = len(pixels.depth)
        # The field stays where it is; the points go back by what the hand has moved.
        self._points = pixels.points[self._own] - shift
        self._modes = _modes(joints)
        share, parent, child = _attached(self._points, joints)
        carried = (1 - share)[:, None, None] * self._modes[parent]
        self._carried = carried + share[:, None, None] * self._modes[child]
        self._amounts = np.zeros(self._modes.shape[2])
        self._weight = np.zeros(len(self._own))

    @property
    def _is_seen(self) -> bool:
        return len(self._own) >= _FEWEST

    def likelihood(self) -> Array:
        """(N,) of the pixels' depths, were they this hand's skin, per metre."""
        found = np.zeros(self._pixels)
        if self._is_seen:
            points = self._points - self._carried @ self._amounts
            self._distance, self._normal = _distance_and_normal(points, self._depth)
            found[self._own] = np.exp(-0.5 * (self._distance / _OWN) ** 2) / (2.5 * _OWN)
        return found

    def step(self, belongs: Array) -> None:
        """A Gauss-Newton step, given (N,) the probability that a pixel shows this hand."""
        if not self._is_seen:
            return
        weight = belongs[self._own] * _weights(self._distance, self._normal, self._points)
        self._weight = weight
        weight = weight * min(1.0, _COUNT / max(float(weight.sum()), 1e-9)) / _POINT**2
        slope = np.matmul(self._normal[:, None], self._carried)[:, 0]
        target = self._distance + slope @ self._amounts
        weighted = slope * weight[:, None]
        system = weighted.T @ slope + np.eye(len(self._amounts))
        self._amounts = np.linalg.solve(system, weighted.T @ target)

    def moved_joints(self) -> Array:
        """(21, 3) metres."""
        move = self._shift + self._modes @ self._amounts
        return self._joints + self._share_of_move() * move

    def _share_of_move(self) -> float:
        """0 for a hand whose unmoved surface fits within the noise, 1 for one that is clearly
        off."""
        skin = self._points[self._weight > 0.2] + self._shift
        if len(skin) < _FEWEST // 2:
            return 1.0
        return float(np.clip((self._misfit(skin) - _STAYS) / (_MOVES - _STAYS), 0, 1))

    def fits_already(self) -> bool:
        """Whether the skin that is seen near the unmoved hand is its own."""
        return self._is_seen and self._misfit(self._points + self._shift) < _STAYS

    def _misfit(self, skin: Array) -> float:
        """Median distance of skin points from the unmoved surface, over what noise lets expect."""
        expected = _HALF * float(np.hypot(_FIELD, self._noise))
        return float(np.median(np.abs(self._depth(skin)))) / expected


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
    # Where the field is flat it says nothing about a direction.
    slope = np.maximum(np.linalg.norm(gradient, axis=1), 0.3)
    return -values[:, 0] / slope, gradient / slope[:, None]


def _weights(distance: Array, normal: Array, points: Array) -> Array:
    """(N,) in [0, 1]; points far off count less, those not seen from the front not at all."""
    towards = -(normal * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    robust = 1 / (1 + (distance / _OUTLIER) ** 2)
    return robust * (towards > _FACING) * (np.abs(distance) < _FARTHEST)
