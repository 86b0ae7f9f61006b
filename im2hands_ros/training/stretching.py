"""Hands of other sizes and proportions than were drawn, for steps without images.

The skin stays exactly the skin; depths near it are off by the stretch's share of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.training.scene_folder import TrainingScene

# Standard deviation of width, length and thickness, at most so much; and of the size, to each side.
_DEVIATION, _LARGEST, _SIZE = 0.05, 0.10, 0.12
_WRIST, _INDEX, _MIDDLE, _PINKY = 0, 5, 9, 17


def stretched(scene: TrainingScene, rng: np.random.Generator) -> TrainingScene:
    """The scene with both hands stretched alike around their wrists, along their palms' axes."""
    sizes = np.exp(rng.normal(0, _DEVIATION, 3).clip(-_LARGEST, _LARGEST))
    sizes *= np.exp(rng.uniform(-_SIZE, _SIZE))
    keypoints, points, depth = {}, {}, {}
    for side, joints in scene.keypoints.items():
        axes, wrist = _palm_axes(joints), joints[_WRIST]
        stretch = (axes.T * sizes @ axes).astype(np.float32)
        keypoints[side] = (joints - wrist) @ stretch + wrist
        points[side] = (scene.points[side] - wrist) @ stretch + wrist
        depth[side] = scene.depth[side] * np.float32(sizes.prod() ** (1 / 3))
    return replace(scene, keypoints=keypoints, points=points, depth=depth)


def _palm_axes(joints: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3, 3) rows: along the knuckles, to the middle knuckle, out of the palm or its back."""
    along = joints[_MIDDLE].astype(np.float64) - joints[_WRIST]
    along /= np.linalg.norm(along)
    across = joints[_INDEX].astype(np.float64) - joints[_PINKY]
    across -= (across @ along) * along
    across /= np.linalg.norm(across)
    return np.stack([across, along, np.cross(across, along)])
