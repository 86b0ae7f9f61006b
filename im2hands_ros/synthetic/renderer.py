"""Ray-traced pictures on one CPU core: soft light, shadows, contact darkening, smooth edges.

No GPU, no display, no system package. Light is computed in a linear space whose display encoding
is the square root: close to sRGB's and many times cheaper than a power.
"""

from __future__ import annotations

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.raytracing import RayScene, RenderPart, pixel_rays, plain_part
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


def _visible_samples(scene: RayScene, camera: Camera, ids: np.ndarray) -> Samples:
    """One sample in the middle of flat pixels, four in pixels on an edge; fills the id map."""
    left, top, right, bottom = _pixel_bounds(scene.vertices, camera)
    u, v = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    u, v = u.ravel(), v.ravel()
    directions = pixel_rays(camera, u, v)
    cast = scene.cast(directions)
    window = (bottom - top, right - left)
    hit = cast.hit
    ids[top:bottom, left:right] = np.where(hit, scene.ids[cast.triangle], -1).reshape(window)
    edge = _edges(cast.distance.reshape(window), scene.ids[cast.triangle].reshape(window)).ravel()
    flat = np.flatnonzero(hit & ~edge)
    fine_u = (u[edge][:, None] + _SUBPIXELS[:, 0]).ravel()
    fine_v = (v[edge][:, None] + _SUBPIXELS[:, 1]).ravel()
    fine_directions = pixel_rays(camera, fine_u, fine_v)
    fine = scene.cast(fine_directions)
    kept = np.flatnonzero(fine.hit)
    joined = type(cast)(*(np.concatenate([a[flat], b[kept]]) for a, b in zip(cast, fine)))
    all_directions = np.concatenate([directions[flat], fine_directions[kept]])
    pixel = v * ids.shape[1] + u
    return Samples(
        hits=scene.surface_points(all_directions, joined),
        pixel=np.concatenate([pixel[flat], np.repeat(pixel[edge], len(_SUBPIXELS))[kept]]),
        coverage=np.repeat(np.float32([1, 1 / len(_SUBPIXELS)]), [len(flat), len(kept)]),
        shape=ids.shape,
    )


def _pixel_bounds(vertices: np.ndarray, camera: Camera) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that rays can hit (ends exclusive)."""
    if vertices[:, 2].min() < 0.02:
        return 0, 0, camera.width, camera.height
    pixels = camera.project(vertices)
    size = np.array([camera.width, camera.height])
    # Never empty: a part outside the picture costs one pixel.
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 1, 0, size - 1)
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 2, low + 1, size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _edges(distance: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels next to a silhouette, another id or a step in depth."""
    depth = np.minimum(distance, 100)
    kernel = np.ones((3, 3), np.uint8)
    step = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, kernel)
    other = cv2.morphologyEx(ids.astype(np.int16), cv2.MORPH_GRADIENT, kernel) > 0
    return (step > 0.012) | (other & (depth < 100))


def render_meshes(
    meshes: list[np.ndarray | tuple[np.ndarray, np.ndarray]],
    colors: list[tuple[float, float, float]],
    camera: Camera,
    background: tuple[int, int, int] = (238, 238, 240),
    light: Light = DEFAULT_LIGHT,
) -> np.ndarray:
    """Draw bare meshes on a neutral ground.

    Args:
        meshes: (vertices (V, 3) in the camera's frame, triangles (T, 3)) pairs.
        colors: one display RGB in [0, 1] per mesh, or (V, 3) per vertex.
        camera: undistorted; its size is the picture's.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    parts = [plain_part(*mesh, color) for mesh, color in zip(meshes, colors, strict=True)]
    ground = np.empty((camera.height, camera.width, 3), np.uint8)
    ground[:] = background
    return render(parts, camera, light, ground, quality=DISPLAY_QUALITY)[0]


def render_meshes_over(
    image: np.ndarray,
    meshes: list[tuple[np.ndarray, np.ndarray]],
    colors: list[tuple[float, float, float]],
    camera: Camera,
    alpha: float = 0.8,
    light: Light = DEFAULT_LIGHT,
) -> np.ndarray:
    """Draw bare meshes over the (H, W, 3) uint8 image they belong to, ``alpha`` 1 = opaque."""
    parts = [plain_part(*mesh, color) for mesh, color in zip(meshes, colors, strict=True)]
    drawn = render(parts, camera, light, image, quality=DISPLAY_QUALITY)[0]
    return cv2.addWeighted(drawn, alpha, image, 1 - alpha, 0)
