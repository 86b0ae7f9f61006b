"""Pixels of a depth image around hands, freed of noise and of the edges that cameras mix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.kernels import depth as kernels_of_depth
from im2hands_ros.kernels import library
from im2hands_ros.kernels.depth import Alike, KnownPixels

Array = NDArray[np.float64]

# Pixels looked at around each hand, at most about so many.
_MOST_PIXELS = 600
_MARGIN = 0.02  # metres around the joints
# A neighbour whose depth differs by more lies beyond an edge; fewer alike: an edge's mixture.
_ALIKE = Alike(step=0.008, share=0.01, least=5)
_AROUND = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij")).reshape(2, -1)


class DepthPixels(NamedTuple):
    """What a depth image shows around the hands.

    Attributes:
        rays: (N, 3) with z = 1, camera frame.
        depth: (N,) metres along z.
        noise: standard deviation of these depths by the camera's noise, metres.
    """

    rays: Array
    depth: Array
    noise: float

    def points_of(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Array:
        """(K, 3) metres, camera frame, of some of the pixels."""
        return self.rays[which] * self.depth[which, None]


def depth_pixels(
    depth: NDArray[np.floating], camera: Camera, joints: Mapping[str, Array]
) -> DepthPixels:
    """Pixels on a grid over the hands whose depth is known and no edge's.

    Args:
        depth: (H, W) metres along z, registered to the camera's image; 0 or not finite: unknown.
        camera: of the image.
        joints: by side (21, 3) metres, camera frame.
    """
    boxes, kernels = _boxes(camera, joints), library.chosen()
    if kernels:
        known = kernels_of_depth.known_pixels(kernels, depth, boxes, _ALIKE)
    else:
        known = known_pixels(depth, boxes)
    rays = camera.back_project(known.places, np.ones(len(known.places)))
    noise = float(np.median(known.deviation)) if len(known.depth) else 0.0
    return DepthPixels(rays, known.depth, noise)


def _boxes(camera: Camera, joints: Mapping[str, Array]) -> NDArray[np.int32]:
    """(B, 5) around the hands: first column and row, the last ones + 1, and steps between pixels
    that are looked at."""
    boxes = []
    for xyz in joints.values():
        places = camera.project(xyz)
        margin = _MARGIN * camera.fx / float(xyz[:, 2].min())
        low = np.maximum(np.floor(places.min(axis=0) - margin), 1).astype(int)
        last = np.array([camera.width, camera.height]) - 2
        high = np.minimum(np.ceil(places.max(axis=0) + margin), last).astype(int)
        if (high > low).all():
            boxes.append([*low, *high, max(1, int(np.sqrt(np.prod(high - low) / _MOST_PIXELS)))])
    return np.array(boxes, np.int32).reshape(-1, 5)


def known_pixels(depth: NDArray[np.floating], boxes: NDArray[np.int32]) -> KnownPixels:
    """The pixels on the boxes' grids, none in the box before, whose depth is known and no
    edge's."""
    grids = [np.zeros((0, 2), np.int32)]
    taken = np.zeros((2, 2), np.int32)
    for *corners, step in boxes.tolist():
        low, high = np.array(corners, np.int32).reshape(2, 2)
        u, v = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
        grid = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.int32)
        grids.append(grid[~((grid >= taken[0]) & (grid < taken[1])).all(axis=1)])
        taken = np.stack([low, high])
    grid = np.concatenate(grids)
    mean, deviation = _smoothed(depth, grid)
    known = np.isfinite(mean)
    return KnownPixels(grid[known], mean[known], deviation[known])


def _smoothed(depth: NDArray[np.floating], grid: NDArray[np.int32]) -> tuple[Array, Array]:
    """(N,) depth of (u, v) pixels, of each a mean with those around it, NaN where that is unknown
    or an edge's, and (N,) that mean's standard deviation."""
    around = depth[grid[:, 1, None] + _AROUND[0], grid[:, 0, None] + _AROUND[1]].astype(np.float64)
    centre = around[:, 4, None]
    with np.errstate(invalid="ignore"):
        alike = (around > 0) & (np.abs(around - centre) < _ALIKE.step + _ALIKE.share * centre)
    count = np.maximum(alike.sum(axis=1), 1)
    known = np.where(alike, around, 0)
    mean = known.sum(axis=1) / count
    variance = np.where(alike, (around - mean[:, None]) ** 2, 0).sum(axis=1) / count
    enough = alike.sum(axis=1) >= _ALIKE.least
    return np.where(enough, mean, np.nan), np.sqrt(variance / count)
