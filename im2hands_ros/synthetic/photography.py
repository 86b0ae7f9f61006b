"""What a camera does to a clean picture: exposure, colour cast, blur, lost detail, noise, JPEG."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_TILE = 1024


def photograph(image: np.ndarray, rng: np.random.Generator, detail: float = 1.0) -> bytes:
    """Degrade a clean (H, W, 3) uint8 RGB picture as a camera would and encode it.

    Args:
        detail: camera pixels per picture pixel; below 1 the picture was enlarged from fewer.

    Returns:
        The JPEG file's bytes; ``decode`` gives the picture that the networks see.
    """
    degraded = _toned(image, rng)
    degraded = _softened(degraded, rng, detail)
    degraded = _noisy(degraded, rng)
    return encode(degraded, int(rng.integers(70, 96)))


def encode(image: np.ndarray, quality: int) -> bytes:
    """(H, W, 3) uint8 RGB to JPEG bytes."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def decode(jpeg: bytes | np.ndarray) -> np.ndarray:
    """JPEG bytes to (H, W, 3) uint8 RGB.

    Raises:
        ValueError: bytes that are no image.
    """
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{len(jpeg)} bytes are no image: the shard is damaged, write it again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _toned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, gamma, contrast and colour cast through one table per channel."""
    level = np.linspace(0, 1, 256)[:, None]
    gain = np.exp(rng.uniform(-0.3, 0.3)) * (1 + rng.uniform(-0.1, 0.1, 3))
    curve = (level * gain) ** np.exp(rng.uniform(-0.25, 0.25))
    curve = rng.uniform(0, 0.06) + curve * rng.uniform(0.85, 1.05)
    table = (np.clip(curve, 0, 1) * 255 + 0.5).astype(np.uint8)
    toned = cv2.LUT(image, table[None])
    if rng.random() < 0.06:
        toned[:] = cv2.cvtColor(toned, cv2.COLOR_RGB2GRAY)[..., None]
    return toned


def _softened(image: np.ndarray, rng: np.random.Generator, detail: float) -> np.ndarray:
    height, width = image.shape[:2]
    if detail < 0.95:
        size = (max(8, round(width * detail)), max(8, round(height * detail)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    chance = rng.random()
    if chance < 0.3:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.3))
    if chance < 0.4:
        return _motion_blurred(image, rng)
    return image


def _motion_blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    length, angle = rng.uniform(2, 7), rng.uniform(0, np.pi)
    kernel = np.zeros((9, 9), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(round(float(c)) for c in 4 + sign * reach) for sign in (-1, 1)]
    cv2.line(kernel, *ends, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strength = rng.uniform(0, 9) * rng.random()
    height, width = image.shape[:2]
    # Drawing fresh normals costs more than the whole photograph: take a window of a fixed tile.
    top, left = rng.integers(0, (_TILE - height + 1, _TILE - width + 1))
    noise = _noise_tile()[top : top + height, left : left + width]
    return cv2.add(image, noise * np.float32(strength), dtype=cv2.CV_8U)


@lru_cache(maxsize=1)
def _noise_tile() -> np.ndarray:
    """(1024, 1024, 3) float32 unit noise, partly shared by the channels."""
    rng = np.random.default_rng(7)
    grey = rng.standard_normal((_TILE, _TILE, 1), np.float32)
    return (0.8 * grey + 0.6 * rng.standard_normal((_TILE, _TILE, 3), np.float32)).astype(
        np.float32
    )
