"""Joints moved so that the hands' surfaces go through the skin that a depth camera sees.

The implicit fields say how far each point is from each surface and in which direction. A few robust
Gauss-Newton steps over what joints may do: a hand moves, mostly along its viewing rays, turns, is
larger or smaller, deeper or flatter, and its bones move a little against each other. In every step
a point belongs to a hand by how well it fits there and how badly to the other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.depth.hand_spheres import near_side
from im2hands_ros.depth.joint_moves import attached, carried, modes_of, step
from im2hands_ros.depth.pixels import DepthPixels
from im2hands_ros.kernels.depth import OnBones

Array = NDArray[np.float64]

_STEPS = 3
_DIFFERENCE = 0.001  # metres between the points of a finite difference
# Standard deviation of a skin point, metres: camera, and a field that is not this very hand's.
# Errors of neighbouring points are alike: all of a hand together count as so many.
_POINT, _COUNT = 0.003, 100.0
_OUTLIER = 0.004  # metres, at which a point counts half
_FARTHEST = 0.025
_FACING = 0.15  # cosine between normal and ray below which skin is seen too flat
# Points within this of the expected near side may be a hand's, as many of them at most.
_NEAR, _MOST_POINTS = 0.03, 160
_CLOSE, _MANY_CLOSE = 0.015, 40  # or so many close ones, where what is near is also another's
_NO_SHIFT = np.zeros(3)
_FEWEST = 15
_FEWEST_OF_HIDDEN = 5  # where another hand may hide most of it: enough to let it be
_LEAST_SHOWN = 0.15  # probability that a pixel shows a hand
# Which hand's a point is: deviation of the right hand's, and metres in which anything else may be.
_OWN, _RANGE = 0.005, 0.3
# A hand stays while its observed skin is as near to its surface as the noise of the camera and of
# the field (metres) let expect: up to these ratios of the median distance.
_FIELD, _STAYS, _MOVES = 0.001, 1.5, 2.2
_HALF = 0.6745  # of a standard deviation: the median of what is normally distributed


class HandDepth(Protocol):
    """A hand's field: metres under its skin, positive inside, of (N, 3) points, camera frame."""

    def at(self, points: Array) -> Array:
        """(N,) of the points."""

    def around(self, points: Array, step: float) -> Array:
        """(N, 4) of the points, and of those moved by a step (metres) along each axis."""


def fitted_joints(
    joints: Mapping[str, Array],
    pixels: DepthPixels,
    shown: Array,
    shifts: Mapping[str, Array],
    depths: Mapping[str, HandDepth],
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
    fewest = _FEWEST_OF_HIDDEN if len(joints) == 2 else _FEWEST
    for side, xyz in joints.items():
        off = np.abs(pixels.depth - near_side(xyz, pixels.rays))
        unmoved = _HandFit(xyz, pixels, shown, _NO_SHIFT, depths[side], off < _NEAR)
        close = _HandFit(xyz, pixels, shown, _NO_SHIFT, depths[side], off < _CLOSE)
        # Whatever else it might explain elsewhere.
        if unmoved.fits_already(fewest) or close.fits_already(_MANY_CLOSE):
            fits[side] = unmoved
            still.add(side)
        else:
            off = np.abs(pixels.depth - near_side(xyz + shifts[side], pixels.rays))
            fits[side] = _HandFit(xyz, pixels, shown, shifts[side], depths[side], off < _NEAR)
    for _ in range(_STEPS):
        near = {side: fit.likelihood() for side, fit in fits.items()}
        everything = shown * sum(near.values()) + (1 - shown) / _RANGE + 1e-9
        for side in fits.keys() - still:
            fits[side].step(shown * near[side] / everything)
    return {s: joints[s] if s in still else fit.moved_joints() for s, fit in fits.items()}


class _HandFit:
    """One hand of a fit: its points, and how far it was moved."""

    def __init__(
        self,
        joints: Array,
        pixels: DepthPixels,
        shown: Array,
        shift: Array,
        depth: HandDepth,
        near: NDArray[np.bool_],
    ) -> None:
        """near: (N,) pixels whose depth is near the side of the shifted hand that is seen."""
        self._joints, self._shift, self._depth = joints, shift, depth
        self._noise = pixels.noise
        own = np.flatnonzero(near & (shown > _LEAST_SHOWN))
        self._own = own[:: max(1, -(-len(own) // _MOST_POINTS))]
        self._pixels = len(pixels.depth)
        # The field stays where it is; the points go back by what the hand has moved.
        self._points = pixels.points_of(self._own) - shift
        self._weight = np.zeros(len(self._own))

    @cached_property
    def _on_bones(self) -> OnBones:
        return attached(self._points, self._joints)

    @cached_property
    def _modes(self) -> Array:
        return modes_of(self._joints)

    @cached_property
    def _amounts(self) -> Array:
        return np.zeros(self._modes.shape[2])

    @property
    def _moves(self) -> Array:
        """(21, 3) of the joints, beside the shift."""
        return self._modes @ self._amounts

    @property
    def _is_seen(self) -> bool:
        return len(self._own) >= _FEWEST

    def likelihood(self) -> Array:
        """(N,) of the pixels' depths, were they this hand's skin, per metre."""
        found = np.zeros(self._pixels)
        if self._is_seen:
            points = self._points - carried(self._on_bones, self._moves)
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
        at = (self._on_bones, self._distance, self._normal, weight, self._modes)
        self._amounts = step(*at, self._amounts)

    def moved_joints(self) -> Array:
        """(21, 3) metres."""
        return self._joints + self._share_of_move() * (self._shift + self._moves)

    def _share_of_move(self) -> float:
        """0 for a hand whose unmoved surface fits within the noise, 1 for one that is clearly
        off."""
        skin = self._points[self._weight > 0.2] + self._shift
        if len(skin) < _FEWEST // 2:  # nothing is seen of it where it would be
            return 0.0
        return float(np.clip((self._misfit(skin) - _STAYS) / (_MOVES - _STAYS), 0, 1))

    def fits_already(self, fewest: int) -> bool:
        """Whether the skin that is seen near the unmoved hand, at least so many points, is its
        own."""
        seen = len(self._own) >= fewest
        return seen and self._misfit(self._points + self._shift) < _STAYS

    def _misfit(self, skin: Array) -> float:
        """Median distance of skin points from the unmoved surface, over what noise lets expect."""
        expected = _HALF * float(np.hypot(_FIELD, self._noise))
        return _median(np.abs(self._depth.at(skin))) / expected


def _median(values: Array) -> float:
    """As `numpy.median`, which takes longer to find out what it was given."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half] + ordered[-1 - half]) / 2


def _distance_and_normal(points: Array, depth: HandDepth) -> tuple[Array, Array]:
    """(N,) metres outside of the surface, (N, 3) outward unit normals, by finite differences."""
    values = depth.around(points, _DIFFERENCE)
    gradient = (values[:, :1] - values[:, 1:]) / _DIFFERENCE
    # Where the field is flat it says nothing about a direction.
    slope = np.maximum(np.linalg.norm(gradient, axis=1), 0.3)
    return -values[:, 0] / slope, gradient / slope[:, None]


def _weights(distance: Array, normal: Array, points: Array) -> Array:
    """(N,) in [0, 1]; points far off count less, those not seen from the front not at all."""
    towards = -(normal * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    robust = 1 / (1 + (distance / _OUTLIER) ** 2)
    return robust * (towards > _FACING) * (np.abs(distance) < _FARTHEST)
