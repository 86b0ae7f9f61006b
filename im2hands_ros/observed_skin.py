"""Which points of a depth image are the skin of which hand, before anything is known exactly.

Spheres along the bones stand for the hands: they say where a hand's near side is to be expected,
which hand hides which, and how far along its viewing rays each hand must be moved. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import BONES, MIDDLE_MCP, WRIST

Array = NDArray[np.float64]

# Radii of the flesh around the bones in order of `BONES`, metres, of a hand whose palm is so long.
_RADII = np.array([14, 12, 11, 9, *(13, 9.5, 8.5, 7.5) * 3, 12, 8.5, 7.5, 6.5]) * 1e-3
_PALM = 0.090
_SHARES = np.array([0.3, 0.65, 1.0])
# Pixels looked at around each hand, at most about so many.
_MOST_PIXELS = 600
_MARGIN = 0.02  # metres around the joints
# A pixel beside which the depth steps by more than this (and this share of it) is an edge, where
# cameras mix foreground and background.
_STEP, _STEP_SHARE = 0.008, 0.01
_EDGE_REACH = 2  # pixels
_LEAST_FLAT = 0.7  # share of the pixels around that must be alike
# How far a hand may be off along its rays, metres: largest, and usual.
_FARTHEST, _USUAL = 0.12, 0.04
_NEARER = 0.03  # and once it was moved
_VOTE_WIDTH = 0.006
_MOST_STEPS = 3
# What a pixel counts that a hand hides in vain, and of all pixels those that outweigh a usual step.
_IN_VAIN, _PRIOR = 1.0, 0.8
_NEAR = 0.02  # metres from the expected near side
_FEWEST, _LEAST_SHARE = 25, 0.12  # of a hand's pixels that must agree
_LEAST_SHOWN = 0.2  # probability that a pixel shows a hand
_MOST_POINTS = 160  # of a hand


class ObservedSkin(NamedTuple):
    """What the depth image shows of one hand.

    Attributes:
        points: (N, 3) of its skin, camera frame, metres.
        shift: by which the hand's joints must move to lie roughly under them, (3,) metres.
    """

    points: Array
    shift: Array


class _Pixels(NamedTuple):
    """rays (N, 3) with z = 1, depth (N,) metres along z."""

    rays: Array
    depth: Array


Shown = Callable[[Array], Mapping[str, Array]]
"""(N, 3) rays with z = 1 -> by side (N,) probability that the image shows that hand there."""


def observed_skin(
    depth: NDArray[np.floating],
    camera: Camera,
    joints: Mapping[str, NDArray[np.floating]],
    shown: Shown | None = None,
) -> dict[str, ObservedSkin]:
    """The skin of the hands that the depth image shows enough of.

    Args:
        depth: (H, W) metres along z, registered to the camera's image; 0 or not finite: unknown.
        camera: of the image.
        joints: by side (21, 3) metres, camera frame.
        shown: what the image says of which hand is where; None: nothing.

    Returns:
        By side; a hand that is hidden, or not where its joints are, is missing.
    """
    hands = {side: np.asarray(xyz, np.float64) for side, xyz in joints.items()}
    pixels = _pixels_around(depth, camera, hands)
    shares = {side: np.ones(len(pixels.depth)) for side in hands}
    if shown is not None:
        shares = {side: share for side, share in shown(pixels.rays).items() if side in hands}
    shifts = {side: np.zeros(3) for side in hands}
    for farthest in (_FARTHEST, _NEARER):  # the second time with what hides what as it is
        fronts = {s: _front(pixels.rays, xyz + shifts[s]) for s, xyz in hands.items()}
        for side, step in _best_steps(pixels.depth, fronts, shares, farthest).items():
            centre = hands[side].mean(axis=0) + shifts[side]
            shifts[side] = shifts[side] + step * centre / centre[2]
    fronts = {side: _front(pixels.rays, xyz + shifts[side]) for side, xyz in hands.items()}
    found = {}
    for side in hands:
        near = np.abs(pixels.depth - fronts[side])
        others = [np.abs(pixels.depth - fronts[each]) for each in hands if each != side]
        own = (near < _NEAR) & (shares[side] > _LEAST_SHOWN)
        own &= np.all([near < each for each in others], axis=0)
        points = pixels.rays[own] * pixels.depth[own, None]
        if len(points) >= max(_FEWEST, _LEAST_SHARE * np.isfinite(fronts[side]).sum()):
            step = -(-len(points) // _MOST_POINTS)
            found[side] = ObservedSkin(points[::step], shifts[side])
    return found


def _pixels_around(
    depth: NDArray[np.floating], camera: Camera, hands: Mapping[str, Array]
) -> _Pixels:
    """Pixels on a grid over the hands with a depth that is no edge's."""
    rays, depths = [], []
    taken = np.zeros((0, 2), np.int64)
    for xyz in hands.values():
        places = camera.project(xyz)
        margin = _MARGIN * camera.fx / float(xyz[:, 2].min())
        low = np.maximum(np.floor(places.min(axis=0) - margin), _EDGE_REACH).astype(int)
        last = np.array([camera.width, camera.height]) - _EDGE_REACH - 1
        high = np.minimum(np.ceil(places.max(axis=0) + margin), last).astype(int)
        if (high <= low).any():
            continue
        step = max(1, int(np.sqrt(np.prod(high - low) / _MOST_PIXELS)))
        u, v = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
        grid = np.stack([u.ravel(), v.ravel()], axis=1)
        grid = grid[_is_new(grid, taken)]
        taken = np.array([low, high])
        value = _smooth_depth(depth, grid)
        good = np.isfinite(value)
        rays.append(camera.back_project(grid[good], np.ones(int(good.sum()))))
        depths.append(value[good])
    if not rays:
        return _Pixels(np.zeros((0, 3)), np.zeros(0))
    return _Pixels(np.concatenate(rays), np.concatenate(depths))


def _is_new(grid: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether pixels lie outside of the box that was looked at before."""
    if not len(taken):
        return np.ones(len(grid), bool)
    return ~((grid >= taken[0]) & (grid < taken[1])).all(axis=1)


def _smooth_depth(depth: NDArray[np.floating], grid: NDArray[np.int64]) -> Array:
    """(N,) depth of (u, v) pixels, of each a mean with its neighbours; NaN where that is unknown or
    an edge's."""
    reach = np.arange(-_EDGE_REACH, _EDGE_REACH + 1)
    dv, du = (each.ravel() for each in np.meshgrid(reach, reach, indexing="ij"))
    around = depth[grid[:, 1, None] + dv, grid[:, 0, None] + du].astype(np.float64)
    centre = around[:, around.shape[1] // 2, None]
    with np.errstate(invalid="ignore"):
        alike = (around > 0) & (np.abs(around - centre) < _STEP + _STEP_SHARE * centre)
    count = alike.sum(axis=1)
    mean = np.where(alike, around, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count >= _LEAST_FLAT * len(du), mean, np.nan)


def _front(rays: Array, joints: Array) -> Array:
    """(N,) depth at which rays (z = 1) meet the near side of a hand of spheres; inf where none."""
    parents, children = np.array(BONES).T
    size = np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]) / _PALM
    start, end = joints[parents], joints[children]
    centres = (start[:, None] + _SHARES[:, None] * (end - start)[:, None]).reshape(-1, 3)
    radii = np.repeat(_RADII * size, len(_SHARES))
    length = np.sqrt((rays**2).sum(axis=1))
    along = rays @ centres.T / length[:, None]
    inside = radii**2 - (centres**2).sum(axis=1) + along**2
    met = along - np.sqrt(np.maximum(inside, 0))
    return np.where(inside > 0, met, np.inf).min(axis=1) / length


def _best_steps(
    depth: Array, fronts: Mapping[str, Array], shares: Mapping[str, Array], farthest: float
) -> dict[str, float]:
    """By how much each hand must move along its rays, metres, so that together they explain most of
    the picture: of a few likely steps of each hand the best combination."""
    sides = list(fronts)
    likely = [_likely_steps(depth - fronts[s], shares[s], farthest) for s in sides]
    best = max(product(*likely), key=lambda steps: _explained(depth, fronts, shares, steps))
    return dict(zip(sides, best, strict=True))


def _likely_steps(steps: Array, share: Array, farthest: float) -> list[float]:
    """Up to three steps that many pixels of a hand ask for, metres.

    Votes and not a mean: whatever else is in the way is further off than the skin is uneven.
    """
    near = np.abs(steps) < farthest
    if near.sum() < _FEWEST:
        return [0.0]
    grid = np.arange(-farthest, farthest + 1e-9, _VOTE_WIDTH / 2)
    votes = share[near] @ np.exp(-0.5 * ((steps[near, None] - grid) / _VOTE_WIDTH) ** 2)
    inner = votes[1:-1]
    peaks = 1 + np.flatnonzero((inner >= votes[:-2]) & (inner > votes[2:]) & (inner > 0))
    peaks = peaks[np.argsort(-votes[peaks])][:_MOST_STEPS]
    return [0.0, *(float(grid[peak]) for peak in peaks)]


def _explained(
    depth: Array, fronts: Mapping[str, Array], shares: Mapping[str, Array], steps: Sequence[float]
) -> float:
    """How many pixels hands explain that are moved by these steps, less those that they hide in
    vain: what is seen behind a hand shows that it is not there."""
    moved = np.stack([front + step for front, step in zip(fronts.values(), steps, strict=True)])
    first = moved.argmin(axis=0)
    off = depth - moved.min(axis=0)
    share = np.stack([shares[side] for side in fronts])[first, np.arange(len(first))]
    hit = np.isfinite(off)
    fits = share[hit] * np.exp(-0.5 * (off[hit] / _VOTE_WIDTH) ** 2)
    in_vain = np.count_nonzero(off[hit] > 3 * _VOTE_WIDTH)
    usual = sum((step / _USUAL) ** 2 for step in steps) / 2
    return float(fits.sum() - _IN_VAIN * in_vain - _PRIOR * hit.sum() * usual)
