"""Ray-traced pictures of hands on one CPU core: soft light, shadows, contact darkening, smooth edges.

No GPU, no display, no system package. Light is computed in a linear space whose display encoding
is the square root: close to sRGB's and many times cheaper than a power.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.raytracing import (
    Hits,
    RayScene,
    RenderPart,
    Surface,
    normalised,
    plain_part,
)

# A ray leaves the surface this far along the normal, metres: enough for float32 and for smooth
# normals that disagree with their flat triangle.
_LIFT = 1.2e-3
_SHADOW_REACH = 2.0
_SUBPIXELS = np.array([(-3, -1), (1, -3), (3, 1), (-1, 3)], np.float32) / 8
_BLACK = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Light:
    """A key light, a weaker fill light from elsewhere and a two-colour surrounding.

    Directions are unit vectors towards the light, camera frame. Colours are linear RGB.
    ``spread`` (radians) is the key light's angular radius: it softens the shadows' rims.
    """

    direction: tuple[float, float, float] = (-0.35, -0.8, -0.5)
    colour: tuple[float, float, float] = (0.85, 0.83, 0.8)
    fill_direction: tuple[float, float, float] = (0.8, 0.1, -0.6)
    fill_colour: tuple[float, float, float] = (0.12, 0.12, 0.14)
    sky: tuple[float, float, float] = (0.34, 0.35, 0.38)
    ground: tuple[float, float, float] = (0.2, 0.17, 0.15)
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    spread: float = 0.05


@dataclass(frozen=True)
class Receiver:
    """A plane behind the parts, ``normal . x = offset`` in the camera frame, that takes shadow."""

    normal: tuple[float, float, float]
    offset: float
    strength: float = 0.6


@dataclass(frozen=True)
class Quality:
    """Rays per shaded point; the noise of few rays is smoothed over ``smoothing`` pixels."""

    shadow_rays: int = 1
    occlusion_rays: int = 1
    smoothing: int = 5
    occlusion_reach: float = 0.04


TRAINING_QUALITY = Quality()
DISPLAY_QUALITY = Quality(shadow_rays=6, occlusion_rays=8, smoothing=5, occlusion_reach=0.06)


@dataclass
class _Samples:
    """Shading points and the pixels (flat index) and coverage they add to."""

    hits: Hits
    pixel: np.ndarray
    coverage: np.ndarray
    shape: tuple[int, int]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def picture(self, values: np.ndarray) -> np.ndarray:
        """(H, W, C) coverage-weighted sum of (N, C) values."""
        size = self.shape[0] * self.shape[1]
        weighted = values * self.coverage[:, None]
        channels = [np.bincount(self.pixel, column, size) for column in weighted.T]
        return np.stack(channels, axis=1).reshape(*self.shape, -1).astype(np.float32)


def render(
    parts: list[RenderPart],
    camera: Camera,
    light: Light = Light(),
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
        backdrop *= _cast_shadow(scene, camera, light, receiver)
    samples = _visible_samples(scene, camera, ids)
    if len(samples.pixel):
        colour = _radiance(scene, samples, light, quality)
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


def pixel_rays(camera: Camera, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(N, 3) float32 directions with z = 1 through pixels (u, v)."""
    x = (u - camera.cx) / camera.fx
    y = (v - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)


def _visible_samples(scene: RayScene, camera: Camera, ids: np.ndarray) -> _Samples:
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
    return _Samples(
        hits=scene.surface_points(all_directions, joined),
        pixel=np.concatenate([pixel[flat], np.repeat(pixel[edge], len(_SUBPIXELS))[kept]]),
        coverage=np.repeat(
            np.float32([1, 1 / len(_SUBPIXELS)]), [len(flat), len(kept)]
        ),
        shape=ids.shape,
    )


def _pixel_bounds(vertices: np.ndarray, camera: Camera) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that rays can hit (ends exclusive)."""
    if vertices[:, 2].min() < 0.02:
        return 0, 0, camera.width, camera.height
    pixels = camera.project(vertices)
    size = (camera.width, camera.height)
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 1, 0, size)
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 2, low, size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _edges(distance: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels next to a silhouette, another id or a step in depth."""
    depth = np.minimum(distance, 100)
    kernel = np.ones((3, 3), np.uint8)
    step = cv2.morphologyEx(depth, cv2.MORPH_GRADIENT, kernel)
    other = cv2.morphologyEx(ids.astype(np.int16), cv2.MORPH_GRADIENT, kernel) > 0
    return (step > 0.012) | (other & (depth < 100))


def _radiance(
    scene: RayScene, samples: _Samples, light: Light, quality: Quality
) -> np.ndarray:
    """(N, 3) linear light that leaves each sample towards the camera."""
    hits = samples.hits
    origins = hits.position + hits.normal * _LIFT
    lit = _smoothed(samples, _key_visibility(scene, samples, origins, light, quality), quality)
    open_sky = _smoothed(samples, _openness(scene, samples, origins, quality), quality)
    return shade(hits, scene.surfaces(hits), light, lit, open_sky)


def shade(
    hits: Hits, surface: Surface, light: Light, lit: np.ndarray, open_sky: np.ndarray
) -> np.ndarray:
    """Wrapped diffuse, hemisphere ambient and Blinn-Phong highlights.

    Red light travels furthest under skin, so it wraps furthest round the terminator.
    """
    key = np.asarray(light.direction, np.float32) / np.linalg.norm(light.direction)
    fill = np.asarray(light.fill_direction, np.float32) / np.linalg.norm(light.fill_direction)
    wrap = np.float32([0.3, 0.16, 0.12])
    facing = (hits.normal @ key)[:, None]
    diffuse = np.clip((facing + wrap) / (1 + wrap), 0, 1) * (0.06 + 0.94 * lit[:, None])
    total = diffuse * np.float32(light.colour)
    total += np.clip(hits.normal @ fill, 0, 1)[:, None] * np.float32(light.fill_colour)
    up = (0.5 + 0.5 * (hits.normal @ np.float32(light.up)))[:, None]
    surrounding = np.float32(light.ground) * (1 - up) + np.float32(light.sky) * up
    total += surrounding * open_sky[:, None]
    half = normalised(hits.view + key)
    glint = np.clip(np.einsum("ij,ij->i", hits.normal, half), 0, 1) ** surface.sharpness
    glint *= surface.specular * lit * (facing[:, 0] > 0)
    return surface.albedo * total + glint[:, None] * np.float32(light.colour)


def _key_visibility(
    scene: RayScene, samples: _Samples, origins: np.ndarray, light: Light, quality: Quality
) -> np.ndarray:
    """(N,) share of the key light that reaches each sample."""
    key = normalised(np.float32([light.direction]))
    visible = np.zeros(len(origins), np.float32)
    facing = np.flatnonzero(samples.hits.normal @ key[0] > -0.1)
    for _ in range(quality.shadow_rays):
        jitter = samples.rng.standard_normal((len(facing), 3), np.float32) * (light.spread / 1.5)
        visible[facing] += ~scene.occluded(origins[facing], normalised(key + jitter), _SHADOW_REACH)
    return visible / quality.shadow_rays


def _openness(
    scene: RayScene, samples: _Samples, origins: np.ndarray, quality: Quality
) -> np.ndarray:
    """(N,) cosine-weighted share of the sky that nearby surfaces leave open."""
    blocked = np.zeros(len(origins), np.float32)
    for _ in range(quality.occlusion_rays):
        ball = normalised(samples.rng.standard_normal((len(origins), 3), np.float32))
        directions = normalised(samples.hits.normal + 0.98 * ball)
        blocked += scene.occluded(origins, directions, quality.occlusion_reach)
    return 1 - blocked / quality.occlusion_rays


def _smoothed(samples: _Samples, values: np.ndarray, quality: Quality) -> np.ndarray:
    """(N,) values averaged over their neighbourhood in the picture."""
    if quality.smoothing < 2:
        return values
    stacked = np.stack([values, np.ones_like(values)], axis=1)
    picture = cv2.blur(samples.picture(stacked), (quality.smoothing, quality.smoothing))
    mean = picture[..., 0] / np.maximum(picture[..., 1], 1e-6)
    return mean.ravel()[samples.pixel]


def _cast_shadow(
    scene: RayScene, camera: Camera, light: Light, receiver: Receiver
) -> np.ndarray:
    """(H, W, 1) factor that darkens the background where the parts shade the receiver plane."""
    step = 2
    u, v = np.meshgrid(np.arange(0, camera.width, step), np.arange(0, camera.height, step))
    directions = pixel_rays(camera, u.ravel(), v.ravel())
    normal = normalised(np.float32([receiver.normal]))[0]
    along = directions @ normal
    distance = receiver.offset / np.where(np.abs(along) < 1e-4, np.inf, along)
    points = directions * distance[:, None]
    key = normalised(np.float32([light.direction]))
    reached = np.flatnonzero((distance > 0.05) & (distance < 5))
    shaded = np.zeros(len(points), np.float32)
    rays = np.repeat(key, len(reached), axis=0)
    shaded[reached] = scene.occluded(points[reached], rays, _SHADOW_REACH)
    blur = 3 + 2 * int(light.spread * 60)
    picture = cv2.blur(shaded.reshape(u.shape), (blur, blur))
    picture = cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    return 1 - receiver.strength * picture[..., None]


def render_meshes(
    meshes: list[np.ndarray | tuple[np.ndarray, np.ndarray]],
    colors: list[tuple[float, float, float]],
    camera: Camera,
    background: tuple[int, int, int] = (238, 238, 240),
    light: Light = Light(),
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
    light: Light = Light(),
) -> np.ndarray:
    """Draw bare meshes over the (H, W, 3) uint8 image they belong to, ``alpha`` 1 = opaque."""
    parts = [plain_part(*mesh, color) for mesh, color in zip(meshes, colors, strict=True)]
    drawn = render(parts, camera, light, image, quality=DISPLAY_QUALITY)[0]
    return cv2.addWeighted(drawn, alpha, image, 1 - alpha, 0)
