"""Ray-traced pictures on one CPU core: soft light, shadows, contact darkening, smooth edges.

No GPU, no display, no system package. Light is computed in a linear space whose display encoding
is the square root: close to sRGB's and many times cheaper than a power.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from im2hands_ros.camera import Camera, crop_around
from im2hands_ros.skeleton import SIDE_COLOURS
from im2hands_ros.synthetic.raytracing import Cast, RayScene, RenderPart, pixel_rays, plain_part
from im2hands_ros.synthetic.shading import (
    DEFAULT_LIGHT,
    DISPLAY_QUALITY,
    TRAINING_QUALITY,
    Light,
    Quality,
    Receiver,
    Samples,
    radiance,
    shadow_on,
)

Meshes = Mapping[str, tuple[np.ndarray, np.ndarray]]

# Metres between neighbouring pixels that make an edge.
_DEPTH_STEP = 0.012
_SUBPIXELS = np.array([(-3, -1), (1, -3), (3, 1), (-1, 3)], np.float32) / 8


def render(
    parts: list[RenderPart],
    camera: Camera,
    light: Light = DEFAULT_LIGHT,
    background: np.ndarray | None = None,
    receiver: Receiver | None = None,
    quality: Quality = TRAINING_QUALITY,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw parts over a background.

    Args:
        parts: meshes in the camera frame.
        camera: undistorted pinhole camera; its size is the picture's.
        background: (H, W, 3) uint8 or None for black.
        receiver: plane on which the parts cast a shadow over the background.

    Returns:
        image: (H, W, 3) uint8 RGB.
        ids: (H, W) int8, the ``triangle_ids`` entry seen at each pixel's centre, -1 for none.

    Raises:
        ValueError: a distorted camera, or a background of another size.
    """
    _check(camera, background)
    shape = (camera.height, camera.width)
    backdrop = np.zeros((*shape, 3), np.float32) if background is None else _linear(background)
    ids = np.full(shape, -1, np.int8)
    if not parts:
        return _display(backdrop), ids
    scene = RayScene(parts)
    if receiver is not None:
        backdrop *= shadow_on(scene, camera, light, receiver)
    samples = _visible_samples(scene, camera, ids)
    if len(samples.pixel):
        colour = radiance(scene, samples, light, quality)
        layer = samples.picture(np.concatenate([colour, np.ones((len(colour), 1))], axis=1))
        backdrop = layer[..., :3] + backdrop * (1 - layer[..., 3:])
    return _display(backdrop), ids


def _check(camera: Camera, background: np.ndarray | None) -> None:
    if camera.is_distorted:
        raise ValueError(
            f"camera has {camera.distortion_model} distortion: undistort its image first"
        )
    size = (camera.height, camera.width, 3)
    if background is not None and background.shape != size:
        raise ValueError(f"background has shape {background.shape}: the camera needs {size}")


def _linear(image: np.ndarray) -> np.ndarray:
    return np.square(image.astype(np.float32) / 255)


def _display(linear: np.ndarray) -> np.ndarray:
    return (np.sqrt(np.clip(linear, 0, 1)) * 255 + 0.5).astype(np.uint8)


class _Traced(NamedTuple):
    """Rays that hit: direction (N, 3), what each met, and the flat pixel that it belongs to."""

    direction: np.ndarray
    cast: Cast
    pixel: np.ndarray

    def select(self, chosen: np.ndarray) -> _Traced:
        cast = Cast(*(values[chosen] for values in self.cast))
        return _Traced(self.direction[chosen], cast, self.pixel[chosen])


def _trace(scene: RayScene, camera: Camera, u: np.ndarray, v: np.ndarray) -> _Traced:
    """Rays through (N,) positions in pixels, misses included."""
    direction = pixel_rays(camera, u, v)
    pixel = np.rint(v).astype(np.int64) * camera.width + np.rint(u).astype(np.int64)
    return _Traced(direction, scene.cast(direction), pixel)


def _visible_samples(scene: RayScene, camera: Camera, ids: np.ndarray) -> Samples:
    """One sample in the middle of flat pixels, four in pixels on an edge; fills the id map."""
    rows, columns = _window(scene.vertices, camera)
    v, u = np.mgrid[rows, columns].astype(np.float32)
    centre = _trace(scene, camera, u.ravel(), v.ravel())
    hit = centre.cast.hit
    ids[rows, columns] = np.where(hit, scene.ids[centre.cast.triangle], -1).reshape(u.shape)
    edge = _edges(centre.cast.distance.reshape(u.shape), ids[rows, columns])
    flat = centre.select(np.flatnonzero(hit & ~edge.ravel()))
    around = np.stack([u[edge], v[edge]], axis=1)[:, None] + _SUBPIXELS
    fine = _trace(scene, camera, *around.reshape(-1, 2).T)
    fine = fine.select(np.flatnonzero(fine.cast.hit))
    return _joined(scene, flat, fine, ids.shape)


def _joined(scene: RayScene, flat: _Traced, fine: _Traced, shape: tuple[int, int]) -> Samples:
    cast = Cast(*map(np.concatenate, zip(flat.cast, fine.cast, strict=True)))
    counts = [len(flat.pixel), len(fine.pixel)]
    return Samples(
        hits=scene.surface_points(np.concatenate([flat.direction, fine.direction]), cast),
        pixel=np.concatenate([flat.pixel, fine.pixel]),
        coverage=np.repeat(np.float32([1, 1 / len(_SUBPIXELS)]), counts),
        shape=shape,
    )


def _window(vertices: np.ndarray, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the pixels that rays can hit; at least one pixel."""
    if vertices[:, 2].min() < 0.02:
        return slice(0, camera.height), slice(0, camera.width)
    pixels = camera.project(vertices)
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 1, 0, size - 1)
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 2, low + 1, size)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _edges(distance: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels next to a silhouette, another id or a step in depth."""
    kernel = np.ones((3, 3), np.uint8)
    step = cv2.morphologyEx(np.minimum(distance, 100), cv2.MORPH_GRADIENT, kernel)
    other = cv2.morphologyEx(ids.astype(np.int16), cv2.MORPH_GRADIENT, kernel) > 0
    return (step > _DEPTH_STEP) | other


def render_hands(
    meshes: Meshes, camera: Camera, background: tuple[int, int, int] = (238, 238, 240)
) -> np.ndarray:
    """Draw hands on a neutral ground, each in the colour of its side.

    Args:
        meshes: side -> (V, 3) vertices in the camera's frame, and (T, 3) triangles.
        camera: undistorted; its size is the picture's.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    ground = np.full((camera.height, camera.width, 3), background, np.uint8)
    return render(_hand_parts(meshes), camera, DEFAULT_LIGHT, ground, quality=DISPLAY_QUALITY)[0]


def render_hands_over(
    image: np.ndarray, meshes: Meshes, camera: Camera, alpha: float = 0.8
) -> np.ndarray:
    """Draw hands over the (H, W, 3) uint8 image that they belong to, ``alpha`` 1 = opaque."""
    drawn = render(_hand_parts(meshes), camera, DEFAULT_LIGHT, image, quality=DISPLAY_QUALITY)[0]
    return cv2.addWeighted(drawn, alpha, image, 1 - alpha, 0)


def render_hands_turned(
    meshes: Meshes,
    size: int,
    degrees: tuple[float, float],
    margin: float = 0.05,
    reference: np.ndarray | None = None,
) -> np.ndarray:
    """Draw hands from another side, (size, size, 3) uint8 RGB.

    Args:
        degrees: turn about the vertical axis, then from above.
        margin: around the hands, share of their extent.
        reference: (N, 3) points that the picture holds; the hands' vertices if None.
    """
    if reference is None:
        if not meshes:
            return np.full((size, size, 3), 238, np.uint8)
        reference = np.concatenate([vertices for vertices, _ in meshes.values()])
    centre = (reference.min(0) + reference.max(0)) / 2
    yaw, pitch = np.radians(degrees)
    sideways, downwards = (cv2.Rodrigues(np.array(v))[0] for v in ((0, yaw, 0), (pitch, 0, 0)))
    away = (0, 0, 4 * np.linalg.norm(reference - centre, axis=1).max())

    def turned(points: np.ndarray) -> np.ndarray:
        return (points - centre) @ (downwards @ sideways).T + away

    unit = Camera(size, size, 1.0, 1.0, 0.0, 0.0)
    camera = crop_around(unit, turned(reference), size, margin).camera
    moved = {side: (turned(vertices), faces) for side, (vertices, faces) in meshes.items()}
    return render_hands(moved, camera)


def _hand_parts(meshes: Meshes) -> list[RenderPart]:
    return [plain_part(*mesh, SIDE_COLOURS[side]) for side, mesh in meshes.items()]
