"""Procedural skin, nails and sleeves, looked up by rest-pose position so that they stay put."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from im2hands_ros.skeleton import INDEX_MCP, PINKY_MCP, WRIST
from im2hands_ros.synthetic.raytracing import Surface, vertex_normals

# Display RGB from the lightest to the darkest human skin.
TONES = np.array(
    [
        [0.96, 0.83, 0.75],
        [0.91, 0.74, 0.63],
        [0.84, 0.64, 0.51],
        [0.73, 0.53, 0.39],
        [0.58, 0.40, 0.29],
        [0.43, 0.29, 0.21],
        [0.30, 0.20, 0.15],
    ],
    np.float32,
)
_VOLUME = 64
_BLOTCH_VOXEL, _GRAIN_VOXEL = 2.2e-3, 0.7e-3
# Joints whose skin is a little redder: knuckles (MCP, PIP, DIP of all fingers) and fingertips.
_REDDER_JOINTS = [2, 3, *range(5, 21)]


@dataclass(frozen=True)
class SkinAttributes:
    """What the skin's look depends on, per skin vertex, for the right hand.

    ``values`` (V, 7) float32: rest position (3, metres), nail 0-1, palm side 0-1, distance up the
    forearm from the wrist (metres, negative on the hand), nearness to a knuckle 0-1.
    """

    values: np.ndarray

    @staticmethod
    def of(
        rest: np.ndarray, triangles: np.ndarray, nail: np.ndarray, keypoints: np.ndarray
    ) -> SkinAttributes:
        """Build from the right hand's rest skin (V, 3), triangles, nail (V,) and joints (21, 3)."""
        wrist, index, pinky = keypoints[[WRIST, INDEX_MCP, PINKY_MCP]]
        palm_normal = np.cross(index - wrist, pinky - wrist)
        palm_normal /= np.linalg.norm(palm_normal)
        facing = vertex_normals(rest, triangles) @ palm_normal
        palm = np.clip(0.5 + 1.2 * facing, 0, 1)
        elbow_ward = wrist - (index + pinky) / 2
        up_forearm = (rest - wrist) @ (elbow_ward / np.linalg.norm(elbow_ward))
        joints = keypoints[_REDDER_JOINTS]
        nearest = np.linalg.norm(rest[:, None] - joints, axis=2).min(axis=1)
        knuckle = np.exp(-((nearest / 0.011) ** 2))
        columns = [rest, nail[:, None], palm[:, None], up_forearm[:, None], knuckle[:, None]]
        return SkinAttributes(np.concatenate(columns, axis=1).astype(np.float32))


@dataclass(frozen=True)
class Skin:
    """The look of one person's skin in one scene; a Material over ``SkinAttributes.values``.

    Attributes:
        tone: linear RGB albedo.
        offset: metres, moves the noise so that every scene has its own.
        contrast: strength of blotches and grain.
        gloss: specular strength.
        sleeve_start: metres up the forearm from the wrist where cloth begins; inf for none.
        sleeve: linear RGB of the cloth.
    """

    tone: np.ndarray
    offset: np.ndarray
    contrast: float = 1.0
    gloss: float = 0.12
    sleeve_start: float = np.inf
    sleeve: tuple[float, float, float] = (0.2, 0.2, 0.3)

    def __call__(self, attributes: np.ndarray) -> Surface:
        rest = attributes[:, :3]
        nail, palm, up_forearm, knuckle = attributes[:, 3:].T
        blotch = _noise("blotch", rest + self.offset, _BLOTCH_VOXEL)
        grain = _noise("grain", rest + self.offset, _GRAIN_VOXEL)
        albedo = self._skin(palm, knuckle, blotch, grain)
        nail = np.clip(nail * 1.4 - 0.2, 0, 1)[:, None]
        albedo += nail * (self.tone * np.float32(0.62) + np.float32([0.2, 0.13, 0.11]) - albedo)
        specular = self.gloss * (1 + 0.4 * grain) + 0.25 * nail[:, 0]
        sharpness = 18 + 50 * nail[:, 0]
        cloth = up_forearm > self.sleeve_start
        if cloth.any():
            weave = 1 + 0.25 * grain[cloth] + 0.15 * blotch[cloth]
            albedo[cloth] = np.float32(self.sleeve) * weave[:, None]
            specular[cloth] = 0.01
        return Surface(albedo, specular, sharpness)

    def _skin(
        self, palm: np.ndarray, knuckle: np.ndarray, blotch: np.ndarray, grain: np.ndarray
    ) -> np.ndarray:
        # Palms hold little melanin: the darker the skin, the more they stand out.
        palm_tone = self.tone + (TONES[2] ** 2 - self.tone) * np.float32([0.45, 0.38, 0.36])
        palm_tone = np.maximum(palm_tone, self.tone) * np.float32([1.0, 0.88, 0.86])
        albedo = self.tone + palm[:, None] * (palm_tone - self.tone)
        red = np.clip(0.5 * knuckle + 0.22 * self.contrast * blotch, -0.4, 1)[:, None]
        albedo = albedo * (1 - red * np.float32([0.05, 0.2, 0.2]))
        return albedo * (1 + 0.07 * self.contrast * (grain + 0.5 * blotch))[:, None]


def random_skin(rng: np.random.Generator) -> Skin:
    """A tone from the whole human range with its own blotches, gloss and, often, a sleeve."""
    place = rng.uniform(0, len(TONES) - 1)
    lower = min(int(place), len(TONES) - 2)
    tone = TONES[lower] + (place - lower) * (TONES[lower + 1] - TONES[lower])
    tone = np.clip(tone * rng.uniform(0.95, 1.05, 3), 0.05, 1).astype(np.float32) ** 2
    sleeved = rng.random() < 0.45
    return Skin(
        tone=tone,
        offset=rng.uniform(0, 0.1, 3).astype(np.float32),
        contrast=float(rng.uniform(0.4, 1.5)),
        gloss=float(rng.uniform(0.02, 0.25)),
        sleeve_start=float(rng.uniform(0.03, 0.16)) if sleeved else np.inf,
        sleeve=tuple(float(c) for c in rng.uniform(0.03, 0.9, 3) ** 2),
    )


@lru_cache(maxsize=2)
def _volume(kind: str) -> np.ndarray:
    """(64**3,) float32 tiling noise of zero mean and unit deviation."""
    rng = np.random.default_rng({"blotch": 1, "grain": 2}[kind])
    white = rng.standard_normal((_VOLUME,) * 3)
    smooth = gaussian_filter(white, {"blotch": 4.0, "grain": 0.6}[kind], mode="wrap")
    return np.clip(smooth / smooth.std(), -2.5, 2.5).astype(np.float32).ravel()


def _noise(kind: str, points: np.ndarray, voxel: float) -> np.ndarray:
    """(N,) noise at (N, 3) rest positions; the volume repeats, so any position is inside."""
    cell = (points * np.float32(1 / voxel) + 4096).astype(np.int32) % _VOLUME
    return _volume(kind)[(cell[:, 0] * _VOLUME + cell[:, 1]) * _VOLUME + cell[:, 2]]
