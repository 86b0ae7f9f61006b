"""What light, cameras and other things do to a crop: training of the landmark network."""

from __future__ import annotations

import cv2
import numpy as np

_GREY = np.array([0.3, 0.59, 0.11], np.float32)


def disturbed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An (H, W, 3) uint8 picture in other colours and light, less sharp, noisy, partly covered."""
    picture = _lit(_coloured(image.astype(np.float32) / 255, rng), rng)
    picture = _blurred(picture, rng)
    if rng.random() < 0.5:
        noise = rng.standard_normal(picture.shape, np.float32)
        picture = picture + noise * np.float32(rng.uniform(0, 0.06))
    if rng.random() < 0.35:
        _cover(picture, rng)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _coloured(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.25:
        return np.repeat((picture @ _GREY)[..., None], 3, 2)
    if chance < 0.8:
        return picture @ (np.eye(3) + rng.normal(0, 0.12, (3, 3))).astype(np.float32)
    return picture


def _lit(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, exposure, contrast, and light that fades across the crop."""
    gain = np.exp(rng.normal(0, 0.3)) * (1 + rng.normal(0, 0.08, 3))
    if rng.random() < 0.08:  # over-exposed
        gain = gain * rng.uniform(1.5, 2.5)
    picture = np.clip(picture, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
    picture = np.minimum(picture * gain.astype(np.float32), 1)
    if rng.random() < 0.3:
        along = int(rng.integers(2))
        fade = 1 + np.linspace(-1, 1, picture.shape[along], dtype=np.float32) * rng.normal(0, 0.3)
        picture = picture * fade.reshape((-1, 1) if along else (-1, 1, 1))
    if rng.random() < 0.3:
        mean = picture.mean()
        picture = (picture - mean) * np.float32(rng.uniform(0.4, 1.3)) + mean
    return picture.astype(np.float32)


def _blurred(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, of few pixels, or moved while it was taken."""
    chance, size = rng.random(), picture.shape[1::-1]
    if chance < 0.2:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.5))
    if chance < 0.4:
        share = rng.uniform(0.25, 0.8)
        small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    if chance < 0.5:
        return cv2.filter2D(picture, -1, _motion(rng.uniform(3, 14), rng.uniform(0, np.pi)))
    return picture


def _motion(length: float, angle: float) -> np.ndarray:
    """A kernel that smears along a line of so many pixels."""
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 4 * reach + 1):
        x, y = (np.array([np.cos(angle), np.sin(angle)]) * share * length).round().astype(int)
        kernel[reach + y, reach + x] += 1
    return kernel / kernel.sum()


def _cover(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Up to three rectangles of one colour, as of an object in front."""
    rows, columns = picture.shape[:2]
    for _ in range(rng.integers(1, 4)):
        width, height = (rng.integers(side // 16, side // 4) for side in (columns, rows))
        x, y = rng.integers(0, columns - width), rng.integers(0, rows - height)
        colour = rng.uniform(0, 1, 3) if rng.random() < 0.7 else picture.mean((0, 1))
        picture[y : y + height, x : x + width] = colour
