"""Points that a hand's surface must go through, or keep away from: of depth images or outlines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.depth.hand_spheres import near_side
from im2hands_ros.depth.likely_shifts import likely_shifts
from im2hands_ros.depth.pixels import depth_pixels
from im2hands_ros.skeleton import BONES, MIDDLE_MCP, WRIST

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Skin nearer than this to the forearm, along the palm from the wrist, metres: where a hand ends is
# nowhere to be seen.
_FROM_WRIST = 0.005
_NEAR = 0.02  # metres from where a hand's near side is expected
_FEWEST, _LEAST_SHARE = 25, 0.12  # of a hand's pixels that must be its skin
_LEAST_SHOWN = 0.2  # probability that a pixel shows a hand
_MOST_POINTS = 160  # of a hand
_EMPTY_BEHIND = 0.03  # metres that what is seen lies behind a hand that is not there
_EDGE = 3  # pixels around an edge that cameras mix
_REACH = 0.03  # metres around the bones in which emptiness says something
_SHARES = np.linspace(0, 1, 5)
_GRID = 24  # pixels looked at along the longer side of a hand
_APART = 0.05  # metres from the other hand's bones, of an outline that is not the other's
_HERE = 0.5  # probability that a pixel shows a hand

Shown = Callable[[Array], Array]


class SkinPoints(NamedTuple):
    """points: (N, 3) metres, camera frame. bound: (N,) where the hand is not, not where it ends.
    shift: (3,) metres, by which its joints must move to lie roughly under the skin."""

    points: Array
    bound: Bools
    shift: Array


def _unknown(rays: Array) -> Array:
    return np.full(len(rays), 0.5)


def skin_of_depth(
    depth: NDArray[np.floating],
    camera: Camera,
    joints: dict[str, NDArray[np.float32]],
    shown: Shown = _unknown,
) -> dict[str, SkinPoints]:
    """Of each hand that the depth image shows enough of: its skin, and free space around it.

    Args:
        depth: (H, W) metres along z, registered to the camera's image; 0 or not finite: unknown.
        camera: of the image.
        joints: by side (21, 3) metres, camera frame.
        shown: (N, 3) rays with z = 1 -> (N,) probability that the image shows a hand there.
    """
    hands = {side: np.asarray(xyz, np.float64) for side, xyz in joints.items()}
    pixels = depth_pixels(depth, camera, hands)
    share = shown(pixels.rays)
    shifts = likely_shifts(pixels, hands, share)
    fronts = {side: near_side(xyz + shifts[side], pixels.rays) for side, xyz in hands.items()}
    first = np.minimum.reduce(list(fronts.values()))
    found = {}
    for side, front in fronts.items():
        own = (front == first) & (np.abs(pixels.depth - front) < _NEAR) & (share > _LEAST_SHOWN)
        if own.sum() < max(_FEWEST, _LEAST_SHARE * np.isfinite(front).sum()):
            continue
        moved = joints[side] + shifts[side]
        points = pixels.points_of(own)[:: -(-int(own.sum()) // _MOST_POINTS)]
        skin = points[_before_wrist(points, moved)]
        free = _free_space(depth, camera, moved)
        bound = np.arange(len(skin) + len(free)) >= len(skin)
        found[side] = SkinPoints(np.concatenate([skin, free]), bound, shifts[side])
    return found


def skin_of_outline(
    mask: NDArray[np.floating], camera: Camera, joints: dict[str, NDArray[np.float32]]
) -> dict[str, SkinPoints]:
    """Where the outline of the hands' mask says that a surface is just met by viewing rays.

    The mask does not tell hands apart: what is near both is nobody's.

    Args:
        mask: (s, s) probability over a crop that a pixel shows a hand.
        camera: the crop's.
        joints: by side (21, 3) metres.
    """
    rows, columns = _crossings(mask)
    pixels = (np.stack([columns, rows], axis=1) + 0.5) * camera.width / len(mask) - 0.5
    rays = camera.back_project(pixels, np.ones(len(pixels)))
    met = {side: nearest_on_rays(rays, xyz) for side, xyz in joints.items()}
    found = {}
    for side, (points, distance) in met.items():
        used = (distance < _REACH) & _before_wrist(points, joints[side])
        for other in met.keys() - {side}:
            used &= met[other][1] > _APART
        skin = points[used]
        found[side] = SkinPoints(skin, np.zeros(len(skin), bool), np.zeros(3))
    return found


def nearest_on_rays(rays: Array, joints: NDArray[np.floating]) -> tuple[Array, Array]:
    """(N, 3) the points of rays through the camera that are nearest to a hand's bones, and their
    distances (N,). A ray that just meets the skin meets it there."""
    xyz = np.asarray(joints, np.float64)
    parents, children = np.array(BONES).T
    steps = _SHARES[:, None] * (xyz[children] - xyz[parents])[:, None]
    places = (xyz[parents][:, None] + steps).reshape(-1, 3)
    along = np.maximum(rays @ places.T / (rays**2).sum(1, keepdims=True), 0)
    distance = np.linalg.norm(rays[:, None] * along[..., None] - places, axis=2)
    best = distance.argmin(axis=1)
    row = np.arange(len(rays))
    return rays * along[row, best][:, None], distance[row, best]


def _crossings(mask: NDArray[np.floating]) -> tuple[Array, Array]:
    """Rows and columns where a mask crosses one half, between neighbouring pixels."""
    found = []
    for axis in (0, 1):
        first = mask[:-1] if axis == 0 else mask[:, :-1]
        second = mask[1:] if axis == 0 else mask[:, 1:]
        rows, columns = np.nonzero((first > _HERE) != (second > _HERE))
        a, b = first[rows, columns], second[rows, columns]
        share = (_HERE - a) / (b - a)
        found.append(np.stack([rows + share * (axis == 0), columns + share * (axis == 1)]))
    both = np.concatenate(found, axis=1)
    return both[0], both[1]


def _free_space(depth: NDArray[np.floating], camera: Camera, joints: NDArray[np.floating]) -> Array:
    """(N, 3) points beside a hand that the camera sees through."""
    places = camera.project(joints)
    margin = _REACH * camera.fx / float(joints[:, 2].min())
    low = np.maximum(places.min(axis=0) - margin, 0)
    high = np.minimum(places.max(axis=0) + margin, [camera.width - 1, camera.height - 1])
    if (high <= low).any():
        return np.zeros((0, 3))
    step = max(float((high - low).max()) / _GRID, 1.0)
    axes = (np.arange(a, b, step) for a, b in zip(low, high, strict=True))
    u, v = np.meshgrid(*axes)
    pixels = np.rint(np.stack([u.ravel(), v.ravel()], axis=1)).astype(int)
    seen = _nearest_around(depth)[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    points, distance = nearest_on_rays(
        camera.back_project(pixels.astype(np.float64), np.ones(len(pixels))), joints
    )
    with np.errstate(invalid="ignore"):
        free = (seen > points[:, 2] + _EMPTY_BEHIND) & (distance < _REACH)
    return points[free]


def _nearest_around(depth: NDArray[np.floating]) -> NDArray[np.float32]:
    """(H, W) the nearest depth around each pixel: at an edge cameras mix both sides of it."""
    known = np.where(depth > 0, depth, np.inf).astype(np.float32)
    side = 2 * _EDGE + 1
    return np.asarray(cv2.erode(known, np.ones((side, side), np.uint8)), np.float32)


def _before_wrist(points: Array, joints: NDArray[np.floating]) -> Bools:
    """(N,) whether points lie on the hand's side of its wrist."""
    axis = joints[MIDDLE_MCP] - joints[WRIST]
    along = (points - joints[WRIST]) @ axis / np.linalg.norm(axis)
    before: Bools = along > _FROM_WRIST
    return before
