"""Light on ray-traced surfaces: key and fill light, soft shadows, contact darkening, highlights.

Colours are linear RGB; directions are unit vectors in the camera frame (x right, y down).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.raytracing import Hits, RayScene, Surface, normalised, pixel_rays

# A ray leaves the surface this far along the normal, metres: enough for float32 and for smooth
# normals that disagree with their flat triangle.
_LIFT = 1.2e-3
_SHADOW_REACH = 2.0


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


DEFAULT_LIGHT = Light()
TRAINING_QUALITY = Quality()
DISPLAY_QUALITY = Quality(shadow_rays=6, occlusion_rays=8, smoothing=5, occlusion_reach=0.06)


@dataclass
class Samples:
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


def radiance(scene: RayScene, samples: Samples, light: Light, quality: Quality) -> np.ndarray:
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
    scene: RayScene, samples: Samples, origins: np.ndarray, light: Light, quality: Quality
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
    scene: RayScene, samples: Samples, origins: np.ndarray, quality: Quality
) -> np.ndarray:
    """(N,) cosine-weighted share of the sky that nearby surfaces leave open."""
    blocked = np.zeros(len(origins), np.float32)
    for _ in range(quality.occlusion_rays):
        ball = normalised(samples.rng.standard_normal((len(origins), 3), np.float32))
        directions = normalised(samples.hits.normal + 0.98 * ball)
        blocked += scene.occluded(origins, directions, quality.occlusion_reach)
    return 1 - blocked / quality.occlusion_rays


def _smoothed(samples: Samples, values: np.ndarray, quality: Quality) -> np.ndarray:
    """(N,) values averaged over their neighbourhood in the picture."""
    if quality.smoothing < 2:
        return values
    stacked = np.stack([values, np.ones_like(values)], axis=1)
    picture = cv2.blur(samples.picture(stacked), (quality.smoothing, quality.smoothing))
    mean = picture[..., 0] / np.maximum(picture[..., 1], 1e-6)
    return mean.ravel()[samples.pixel]


def shadow_on(scene: RayScene, camera: Camera, light: Light, receiver: Receiver) -> np.ndarray:
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
