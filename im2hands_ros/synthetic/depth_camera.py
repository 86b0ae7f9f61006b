"""What a depth camera makes of a perfect depth image: noise, steps, holes, mixed edges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.raytracing import RayScene, RenderPart, pixel_rays

Depth = NDArray[np.float32]


@dataclass(frozen=True)
class DepthCamera:
    """How a kind of depth camera fails.

    Attributes:
        noise: standard deviation, metres; noise_share: and this share of the depth.
        baseline_px: focal length in pixels times baseline in metres, by which disparities are
            rounded to ``disparity_step`` pixels; 0: depths are rounded to millimetres instead.
        bleeding: pixels within which edges are mixed. edge_holes: share of edge pixels without a
            depth. patches: holes elsewhere, of up to ``patch_size`` pixels.
    """

    noise: float = 0.002
    noise_share: float = 0.002
    baseline_px: float = 0.0
    disparity_step: float = 0.125
    bleeding: int = 2
    edge_holes: float = 0.5
    patches: int = 6
    patch_size: int = 7


# Stereo (Intel RealSense D4xx): disparities of an eighth pixel. Time of flight (Kinect v2, Azure).
REALSENSE = DepthCamera(baseline_px=640 * 0.05, disparity_step=1 / 16)
KINECT = DepthCamera(bleeding=3, edge_holes=0.8, patches=3)


def perfect_depth(parts: Iterable[RenderPart], camera: Camera, wall: float) -> Depth:
    """(H, W) float32 metres along z of meshes before a wall at this depth."""
    scene = RayScene(list(parts))
    v, u = np.mgrid[: camera.height, : camera.width].reshape(2, -1)
    met = scene.cast(pixel_rays(camera, u, v))
    # The rays' z is 1, so distances along them are depths.
    depth = np.where(met.hit, met.distance, wall)
    return depth.reshape(camera.height, camera.width).astype(np.float32)


def photographed(depth: Depth, kind: DepthCamera, rng: np.random.Generator) -> Depth:
    """(H, W) float32 metres as a camera of this kind gives it; 0 where it has no depth."""
    edge = _edges(depth, kind.bleeding)
    mixed = cv2.blur(depth, (2 * kind.bleeding + 1,) * 2)
    seen = np.where(edge & (rng.random(depth.shape) < 0.6), mixed, depth)
    seen = seen + rng.normal(0, 1, depth.shape) * (kind.noise + kind.noise_share * depth)
    if kind.baseline_px:
        steps = np.rint(kind.baseline_px / np.maximum(seen, 0.05) / kind.disparity_step)
        seen = kind.baseline_px / np.maximum(steps * kind.disparity_step, 1e-3)
    else:
        seen = np.rint(seen * 1000) / 1000
    missing = edge & (rng.random(depth.shape) < kind.edge_holes)
    for _ in range(kind.patches):
        row, column = (int(rng.integers(side)) for side in depth.shape)
        height, width = rng.integers(2, kind.patch_size + 1, 2)
        missing[row : row + height, column : column + width] = True
    return np.where(missing, 0, seen).astype(np.float32)


def _edges(depth: Depth, reach: int) -> NDArray[np.bool_]:
    """(H, W) pixels within so many of a step in depth."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    step = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, kernel)
    return np.asarray(step > 0.015)
