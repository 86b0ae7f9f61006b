"""What photographs of hands have and rendered ones lack: training of close-ups."""

from __future__ import annotations

import cv2
import numpy as np

from im2hands_ros.training.camera_errors import disturbed

# How often each change is made.
TEXTURE, CLUTTER, SHADOWS, SHARPENED, SMOOTHED, DISTURBED, COMPRESSED = (
    0.6,
    0.4,
    0.4,
    0.3,
    0.2,
    0.45,
    0.4,
)
UNCHANGED = 0.15


def photographed(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rendered picture with skin of pores and creases, things of skin's colours behind the hands,
    shadows, and what cameras make of it.

    Args:
        image: (H, W, 3) uint8 RGB. mask: (H, W) uint8, 0 where no hand is.
    """
    if rng.random() < UNCHANGED:
        return image
    picture = image.astype(np.float32)
    if rng.random() < CLUTTER:
        _clutter(picture, mask, rng)
    if rng.random() < TEXTURE:
        picture *= _texture(mask, rng)[..., None]
    if rng.random() < SHADOWS:
        picture *= _shadows(mask.shape, rng)[..., None]
    if rng.random() < SHARPENED:
        soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 2.0))
        picture += (picture - soft) * np.float32(rng.uniform(0.5, 2.0))
    whole = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < SMOOTHED:
        whole[:] = cv2.medianBlur(whole, 3 if rng.random() < 0.7 else 5)
    if rng.random() < DISTURBED:
        whole = disturbed(whole, rng)
    return _compressed(whole, rng) if rng.random() < COMPRESSED else whole


def _clutter(picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """Lines and blobs about as wide as fingers and arms, behind the hands."""
    drawn, size = picture.copy(), picture.shape[1::-1]
    skin = picture[mask > 0].mean(0) if (mask > 0).any() else np.array([190.0, 150.0, 130.0])
    for _ in range(rng.integers(1, 9)):
        colour = skin * rng.uniform(0.5, 1.3) * rng.uniform(0.9, 1.1, 3)
        begin = rng.uniform(0, size, 2)
        end = begin + rng.normal(0, 0.2, 2) * size
        width = int(np.exp(rng.uniform(np.log(4), np.log(40))))
        first, last = begin.astype(int).tolist(), end.astype(int).tolist()
        cv2.line(drawn, first, last, colour.tolist(), width, cv2.LINE_AA)
    drawn = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.5, 2.5))
    behind = cv2.GaussianBlur((mask == 0).astype(np.float32), (0, 0), 0.7)[..., None]
    picture += (drawn - picture) * behind


def _texture(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) factors near one on the hands: noise of several sizes, some of it in streaks."""
    rows, columns = mask.shape
    change = np.zeros(mask.shape, np.float32)
    for coarse in (1, 2, 4, 10):
        noise = rng.standard_normal((rows // coarse + 1, columns // coarse + 1), np.float32)
        if rng.random() < 0.4:
            noise[:] = cv2.blur(noise, (5, 1) if rng.random() < 0.5 else (1, 5)) * 2.2
        whole = cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC)
        change += whole * np.float32(rng.uniform(0, 0.06))
    return 1 + change * (mask > 0)


def _shadows(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(H, W) factors up to one: the edges of one to three shadows."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    light = np.ones(shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, soft = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.01), np.log(0.4)))
        off = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y - rng.uniform(-0.6, 0.8)
        light *= 1 - np.float32(rng.uniform(0.1, 0.7)) / (1 + np.exp(-np.clip(off / soft, -30, 30)))
    return light.astype(np.float32)


def _compressed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 75))]
    found = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    assert found is not None
    return found
