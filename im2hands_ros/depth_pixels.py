"""Pixels of a depth image around hands, freed of noise and of the edges that cameras mix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera

Array = NDArray[np.float64]

# Pixels looked at around each hand, at most about so many.
_MOST_PIXELS = 600
_MARGIN = 0.02  # metres around the joints
# A neighbour whose depth differs by more than this (and this share of it) lies beyond an edge.
_STEP, _STEP_SHARE = 0.008, 0.01
_LEAST_ALIKE = 5  # of the nine pixels around and at one; fewer: an edge's mixture
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

    @property
    def points(self) -> Array:
        """(N, 3) metres, camera frame."""
        return self.rays * self.depth[:, None]


def depth_pixels(
    depth: NDArray[np.floating], camera: Camera, joints: Mapping[str, Array]
) -> DepthPixels:
    """Pixels on a grid over the hands whose depth is known and no edge's.

    Args:
        depth: (H, W) metres along z, registered to the camera's image; 0 or not finite: unknown.
        camera: of the image.
        joints: by side (21, 3) metres, camera frame.
    """
    grid = _grid(camera, joints)
    value, deviation = _smoothed(depth, grid)
    known = np.isfinite(value)
    rays = camera.back_project(grid[known], np.ones(int(known.sum())))
    noise = float(np.median(deviation[known])) if known.any() else 0.0
    return DepthPixels(rays, value[known], noise)


def _grid(camera: Camera, joints: Mapping[str, Array]) -> NDArray[np.int64]:
    """(N, 2) pixels (u, v) around all hands, none twice."""
    grids = [np.zeros((0, 2), np.int64)]
    taken = np.zeros((2, 2), np.int64)
    for xyz in joints.values():
        places = camera.project(xyz)
        margin = _MARGIN * camera.fx / float(xyz[:, 2].min())
        low = np.maximum(np.floor(places.min(axis=0) - margin), 1).astype(int)
        last = np.array([camera.width, camera.height]) - 2
        high = np.minimum(np.ceil(places.max(axis=0) + margin), last).astype(int)
        if (high <= low).any():
            continue
        step = max(1, int(np.sqrt(np.prod(high - low) / _MOST_PIXELS)))
        u, v = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
        grid = np.stack([u.ravel(), v.ravel()], axis=1)
        grids.append(grid[~((grid >= taken[0]) & (grid < taken[1])).all(axis=1)])
        taken = np.array([low, high])
    return np.concatenate(grids)


def _smoothed(depth: NDArray[np.floating], grid: NDArray[np.int64]) -> tuple[Array, Array]:
    """(N,) depth of (u, v) pixels, of each a mean with those around it, NaN where that is unknown
    or an edge's, and (N,) that mean's standard deviation."""
    around = depth[grid[:, 1, None] + _AROUND[0], grid[:, 0, None] + _AROUND[1]].astype(np.float64)
    centre = around[:, 4, None]
    with np.errstate(invalid="ignore"):
        alike = (around > 0) & (np.abs(around - centre) < _STEP + _STEP_SHARE * centre)
    count = np.maximum(alike.sum(axis=1), 1)
    known = np.where(alike, around, 0)
    mean = known.sum(axis=1) / count
    variance = np.where(alike, (around - mean[:, None]) ** 2, 0).sum(axis=1) / count
    enough = alike.sum(axis=1) >= _LEAST_ALIKE
    return np.where(enough, mean, np.nan), np.sqrt(variance / count)
