"""Where the camera stands: first person, opposite, beside or above the hands, and what it crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import MIDDLE_MCP, WRIST
from im2hands_ros.synthetic.raytracing import normalised

IMAGE_SIZE = 256
DISTANCE_RANGE = (0.3, 1.0)
FIELD_OF_VIEW_RANGE = (45.0, 80.0)
# Share of the picture's side that the keypoints span. The rest is flesh around the keypoints and
# room for the crop to jitter: the pipeline's own crop (margin 0.3) gives 0.62.
FILL_RANGE = (0.42, 0.62)
_NEAREST = 0.13
_SENSOR_WIDTHS = (640, 640, 1280)

# Name: share, range of the angle between the fingers and the viewing direction (degrees), and
# range of where the fingers point in the picture (degrees, -90 is up).
_VIEWS = {
    "first_person": (0.35, (30, 80), (-130, -50)),
    "opposite": (0.2, (105, 160), (20, 160)),
    "beside": (0.25, (60, 120), (-180, 180)),
    "anywhere": (0.2, (25, 165), (-180, 180)),
}


@dataclass(frozen=True)
class Viewpoint:
    """Camera-from-scene transform (x_camera = rotation @ x + translation), crop and sharpness.

    Attributes:
        rotation: (3, 3) float32. translation: (3,) float32 metres.
        camera: the 256 x 256 virtual crop, fx = fy.
        detail: pixels of the simulated sensor per pixel of the crop.
    """

    rotation: np.ndarray
    translation: np.ndarray
    camera: Camera
    detail: float


def random_viewpoint(rng: np.random.Generator, hands: list[np.ndarray]) -> Viewpoint:
    """A camera for the present hands' keypoints ((21, 3) each, scene frame)."""
    keypoints = np.concatenate(hands)
    rotation = random_rotation(rng, hands)
    rotated = keypoints @ rotation.T
    middle = (rotated.min(axis=0) + rotated.max(axis=0)) / 2
    half_width = np.tan(np.radians(rng.uniform(*FIELD_OF_VIEW_RANGE)) / 2)
    ray = np.array([*(rng.uniform(-0.65, 0.65, 2) * half_width * (1, 0.75)), 1])
    distance = np.exp(rng.uniform(*np.log(DISTANCE_RANGE)))
    centre = ray * distance
    closest = (rotated - middle)[:, 2].min() + centre[2]
    centre *= 1 + max(0.0, _NEAREST + 0.03 - closest) / centre[2]
    placed = rotated - middle + centre
    camera = _crop(rng, placed)
    sensor_focal = rng.choice(_SENSOR_WIDTHS) / (2 * half_width)
    return Viewpoint(
        rotation.astype(np.float32),
        (centre - middle).astype(np.float32),
        camera,
        detail=float(sensor_focal / camera.fx),
    )


def _crop(rng: np.random.Generator, keypoints: np.ndarray) -> Camera:
    rays = keypoints[:, :2] / keypoints[:, 2:]
    low, high = rays.min(axis=0), rays.max(axis=0)
    fill = rng.uniform(*FILL_RANGE)
    focal = fill * IMAGE_SIZE / (high - low).max()
    shift = rng.uniform(-1, 1, 2) * 0.18 * (1 - fill) * IMAGE_SIZE
    principal = (IMAGE_SIZE - 1) / 2 + shift - focal * (low + high) / 2
    return Camera(IMAGE_SIZE, IMAGE_SIZE, focal, focal, *(float(c) for c in principal))


def random_rotation(rng: np.random.Generator, hands: list[np.ndarray]) -> np.ndarray:
    """Camera-from-scene rotation; of two hands, more often one that sees them side by side."""
    fingers = sum(normalised((hand[MIDDLE_MCP] - hand[WRIST])[None])[0] for hand in hands)
    if np.linalg.norm(fingers) < 0.3:
        return _uniform_rotation(rng)
    shares = [view[0] for view in _VIEWS.values()]
    _, away, roll = _VIEWS[rng.choice(list(_VIEWS), p=shares)]
    away, roll = np.radians(rng.uniform(*away)), np.radians(rng.uniform(*roll))
    target = np.array([np.sin(away) * np.cos(roll), np.sin(away) * np.sin(roll), np.cos(away)])
    tries = 3 if len(hands) == 2 and rng.random() < 0.6 else 1
    frames = [_frame(target, rng) @ _frame(fingers, rng).T for _ in range(tries)]
    return max(frames, key=lambda rotation: _separation(rotation, hands))


def _separation(rotation: np.ndarray, hands: list[np.ndarray]) -> float:
    if len(hands) < 2:
        return 0.0
    apart = rotation @ (hands[0].mean(axis=0) - hands[1].mean(axis=0))
    return float(np.hypot(apart[0], apart[1]))


def _frame(axis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A right-handed orthonormal frame whose third column is ``axis``, spun at random about it."""
    third = axis / np.linalg.norm(axis)
    first = np.cross(rng.standard_normal(3), third)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third], axis=1)


def _uniform_rotation(rng: np.random.Generator) -> np.ndarray:
    return _frame(rng.standard_normal(3), rng)
