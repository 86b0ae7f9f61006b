"""What is done with a depth image, by the native library: twins of `im2hands_ros.depth`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.kernels.library import Library

Array = NDArray[np.float64]
Numbers = NDArray[np.int32]


class KnownPixels(NamedTuple):
    """places: (N, 2) columns and rows. depth: (N,) metres. deviation: (N,) of these depths."""

    places: Numbers
    depth: Array
    deviation: Array


class Alike(NamedTuple):
    """Which depths around a pixel are its own: those that differ by less than step (metres) + share
    of it, and at least so many of nine."""

    step: float
    share: float
    least: int


def known_pixels(
    library: Library, depth: NDArray[np.floating], boxes: Numbers, alike: Alike
) -> KnownPixels:
    """Pixels of (H, W) metres on the grids of boxes (B, 5): first column and row, the last ones
    + 1, step; none in the box before."""
    depth, boxes = np.ascontiguousarray(depth, np.float32), np.ascontiguousarray(boxes, np.int32)
    room = int(np.prod(-(-(boxes[:, 2:4] - boxes[:, :2]) // boxes[:, 4:]), axis=1).sum())
    found = KnownPixels(np.empty((room, 2), np.int32), np.empty(room), np.empty(room))
    count = library.known_pixels(
        *(depth.ctypes.data, *depth.shape, boxes.ctypes.data, len(boxes), *alike),
        *(part.ctypes.data for part in found),
        room,
    )
    library.checked(count)
    return KnownPixels._make(part[:count] for part in found)


def fronts(library: Library, rays: Array, centres: Array, radii: Array) -> Array:
    """(R, N) depth along z at which rays (N, 3), z = 1, meet the first of spheres of each row of
    radii (R, K) about centres (K, 3); inf where they miss all. A radius of 0: no sphere."""
    rays, centres, radii = (np.ascontiguousarray(each) for each in (rays, centres, radii))
    met = np.empty((len(radii), len(rays)))
    library.checked(
        library.fronts(
            *(rays.ctypes.data, len(rays), centres.ctypes.data, len(centres)),
            *(radii.ctypes.data, len(radii), met.ctypes.data),
        )
    )
    return met


def best_steps(
    library: Library,
    depth: Array,
    limbs: Array,
    cores: Array,
    shown: Array,
    tried: Array,
    chances: tuple[float, ...],
) -> Array:
    """(H,) the likeliest of the tried steps (S,) of each hand.

    depth, shown: (N,) of pixels. limbs, cores: (H, N) near sides. chances: struct Chances
    (src/skin.h).
    """
    given = [np.ascontiguousarray(each) for each in (depth, limbs, cores, shown, tried)]
    numbers, best = np.array(chances), np.empty(len(limbs), np.int32)
    pixels, limb, core, share, steps = (each.ctypes.data for each in given)
    library.checked(
        library.best_steps(
            *(pixels, limb, core, len(limbs), share, len(depth)),
            *(steps, len(tried), numbers.ctypes.data, best.ctypes.data),
        )
    )
    return tried[best]


class OnBones(NamedTuple):
    """Points on a hand's bones: share (N,) of the way along, ends (N, 2) joints."""

    share: Array
    ends: Numbers


def attach(library: Library, points: Array, joints: Array) -> OnBones:
    """Where (N, 3) points are on the nearest bones of joints (21, 3)."""
    points, joints = np.ascontiguousarray(points), np.ascontiguousarray(joints)
    found = OnBones(np.empty(len(points)), np.empty((len(points), 2), np.int32))
    library.checked(
        library.attach(
            *(points.ctypes.data, len(points), joints.ctypes.data),
            *(part.ctypes.data for part in found),
        )
    )
    return found


def skin_step(
    library: Library,
    on_bones: OnBones,
    distance: Array,
    normal: Array,
    weight: Array,
    modes: Array,
    amounts: Array,
) -> Array:
    """(M,) amounts of modes (21, 3, M) after a Gauss-Newton step from amounts.

    distance, weight: (N,), normal: (N, 3) of the points.
    """
    given = [np.ascontiguousarray(each) for each in (distance, normal, weight, modes)]
    found = amounts.copy()
    off, outwards, weights, moves = (each.ctypes.data for each in given)
    library.checked(
        library.skin_step(
            *(on_bones.share.ctypes.data, on_bones.ends.ctypes.data, off, outwards, weights),
            *(len(distance), moves, len(found), found.ctypes.data),
        )
    )
    return found
