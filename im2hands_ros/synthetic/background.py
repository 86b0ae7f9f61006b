"""What lies behind the hands, and the light on them: procedural, varied, a function of the rng."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from im2hands_ros.synthetic.raytracing import normalised
from im2hands_ros.synthetic.shading import Light, Receiver
from im2hands_ros.synthetic.skin import TONES

Painter = Callable[[np.random.Generator, int, int], np.ndarray]


def random_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 picture of no particular place, out of focus to a varying degree."""
    paint = PAINTERS[rng.choice(list(PAINTERS))]
    canvas = paint(rng, height, width)
    if rng.random() < 0.6:
        _scatter_clutter(canvas, rng, int(rng.integers(1, 14)))
    if rng.random() < 0.35:
        _scatter_skin_blobs(canvas, rng, int(rng.integers(1, 5)))
    sigma = rng.uniform(0, 4) * rng.random()
    if sigma > 0.4:
        canvas = cv2.GaussianBlur(canvas, (0, 0), sigma)
    if rng.random() < 0.7:
        canvas += rng.uniform(2, 14) * _fine_noise(rng, height, width)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    corners = _colours(rng, 4).reshape(2, 2, 3)
    return _stretch(corners, height, width)


def _cloud(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Coloured noise of several scales."""
    canvas = _gradient(rng, height, width)
    for cells in (4, 10, 28, 70):
        amount = rng.uniform(0, 60) * 4 / (cells + 4) + rng.uniform(0, 12)
        grey = rng.standard_normal((cells, cells, 1), np.float32)
        tint = rng.standard_normal((cells, cells, 3), np.float32)
        canvas += amount * _stretch(grey + rng.uniform(0, 0.35) * tint, height, width)
    return canvas


def _stripes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Planks, blinds, checked cloth: two colours by a wave, seen at an angle."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    wave = np.sin(along * (2 * np.pi / rng.uniform(10, 90)))
    if rng.random() < 0.4:
        across = np.cos(angle) * y - np.sin(angle) * x
        wave = wave * np.sin(across * (2 * np.pi / rng.uniform(10, 90)))
    mix = np.clip(0.5 + wave * rng.uniform(0.5, 4), 0, 1)[..., None]
    first, second = _colours(rng, 2)
    return (first + mix * (second - first)).astype(np.float32)


def _table_and_wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A textured surface that recedes to a slanted edge, something else beyond it."""
    canvas = _cloud(rng, height, width)
    texture = PAINTERS[rng.choice(["cloud", "stripes", "gradient"])](rng, height, width)
    horizon = rng.uniform(0.05, 0.7, 2) * height
    inset = rng.uniform(-1.0, 0.25) * width
    target = np.float32(
        [[inset, horizon[0]], [width - inset, horizon[1]], [2 * width, height], [-width, height]]
    )
    source = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    warp = cv2.getPerspectiveTransform(source, target)
    warped = cv2.warpPerspective(texture, warp, (width, height), borderMode=cv2.BORDER_REFLECT)
    edge = horizon[0] + (horizon[1] - horizon[0]) * np.arange(width) / width
    below = np.arange(height)[:, None] > edge
    canvas[below] = warped[below]
    return canvas


PAINTERS: dict[str, Painter] = {
    "gradient": _gradient,
    "cloud": _cloud,
    "stripes": _stripes,
    "table": _table_and_wall,
}


def _scatter_clutter(canvas: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Boxes, discs and rods of random colours."""
    height, width = canvas.shape[:2]
    for colour in _colours(rng, count).tolist():
        centre = rng.uniform(-0.1, 1.1, 2) * (width, height)
        size = rng.uniform(0.03, 0.4, 2) * max(height, width)
        angle = rng.uniform(0, 180)
        shape = rng.integers(3)
        if shape == 0:
            box = cv2.boxPoints((tuple(centre), tuple(size), angle)).astype(np.int32)
            cv2.fillConvexPoly(canvas, box, colour, cv2.LINE_AA)
        elif shape == 1:
            cv2.ellipse(canvas, (tuple(centre), tuple(size), angle), colour, -1, cv2.LINE_AA)
        else:
            end = rng.uniform(-0.1, 1.1, 2) * (width, height)
            ends = (tuple(int(c) for c in centre), tuple(int(c) for c in end))
            cv2.line(canvas, *ends, colour, int(rng.integers(1, 14)), cv2.LINE_AA)


def _scatter_skin_blobs(canvas: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Skin-coloured limbs and faces out of focus: colour alone must not give a hand away."""
    height, width = canvas.shape[:2]
    for _ in range(count):
        tone = TONES[rng.integers(len(TONES))] * 255 * rng.uniform(0.6, 1.1)
        centre = rng.uniform(-0.1, 1.1, 2) * (width, height)
        size = rng.uniform([0.05, 0.15], [0.25, 0.7]) * max(height, width)
        ellipse = (tuple(centre), tuple(size), rng.uniform(0, 180))
        cv2.ellipse(canvas, ellipse, tone.tolist(), -1, cv2.LINE_AA)


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) float32 display colours: mostly muted, now and then vivid."""
    grey = rng.uniform(10, 245, (count, 1))
    chroma = np.where(rng.random((count, 1)) < 0.2, 70, 18)
    return np.clip(grey + chroma * rng.standard_normal((count, 3)), 0, 255).astype(np.float32)


def _stretch(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    smooth = cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(smooth)


def _fine_noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    half = rng.standard_normal((height // 2, width // 2, 1), np.float32)
    return cv2.resize(half, (width, height))[..., None]


def random_light(rng: np.random.Generator) -> Light:
    """A key light from the camera's side of the hands, mostly from above; warm to cold colours."""
    key = rng.standard_normal(3) * (1, 0.8, 0.8) + (0, -0.7, -0.7)
    fill = rng.standard_normal(3) + (0, 0, -0.5)
    brightness = rng.uniform(0.45, 1.1)
    key_share = rng.uniform(0.25, 0.75)
    warmth = 1 + rng.uniform(-0.18, 0.18) * np.array([1, 0.1, -1])
    tint = 1 + rng.uniform(-0.15, 0.15, (3, 3))
    surrounding = 0.75 * brightness * (1 - key_share)
    return Light(
        direction=_unit(key),
        colour=_triple(1.5 * brightness * key_share * warmth),
        fill_direction=_unit(fill),
        fill_colour=_triple(rng.uniform(0, 0.35) * brightness * tint[0]),
        sky=_triple(surrounding * tint[1]),
        ground=_triple(surrounding * rng.uniform(0.3, 0.9) * tint[2]),
        up=_unit(np.array([0, -1, 0]) + 0.4 * rng.standard_normal(3)),
        spread=float(rng.uniform(0.01, 0.2)),
    )


def random_receiver(rng: np.random.Generator, depth: float) -> Receiver | None:
    """Half of the time, a table or wall a little beyond ``depth`` metres that takes the shadow."""
    if rng.random() < 0.5:
        return None
    normal = _unit(np.array([0, 0, 1]) + 0.35 * rng.standard_normal(3))
    offset = (depth + rng.uniform(0.06, 0.35)) * normal[2]
    return Receiver(normal, float(offset), float(rng.uniform(0.2, 0.75)))


def _unit(vector: np.ndarray) -> tuple[float, float, float]:
    return _triple(normalised(np.asarray(vector, np.float64)[None])[0])


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
