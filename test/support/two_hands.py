"""Joints, picture and camera of two flat hands, and a model that has not been trained.

An untrained network is a union of capsules around the bones: a real surface, known roughly.
"""

from __future__ import annotations

import numpy as np
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.networks import CompactNetworks

CAMERA = Camera(320, 240, 300.0, 300.0, 159.5, 119.5)


def joints(side: str, x: float = 0.13, depth: float = 0.5) -> np.ndarray:
    """(21, 3) float32 joints of an open hand, seen from the back, fingers up."""
    sign = 1.0 if side == "right" else -1.0
    places = [(0.0, 0.09)]
    for finger, (lateral, base, length) in enumerate(
        [
            (-0.03, 0.06, 0.09),
            (-0.025, 0.0, 0.1),
            (0.0, -0.005, 0.11),
            (0.02, 0, 0.1),
            (0.04, 0.01, 0.08),
        ]
    ):
        spread = 0.25 * (finger - 2) - 0.3 * (finger == 0)
        for level in range(4):
            reach = length * level / 3
            places.append((lateral + reach * np.sin(spread), base - reach * np.cos(spread)))
    bend = [0.0, *(0.004 * level**2 for _ in range(5) for level in range(4))]
    return np.array(
        [(sign * (x + u), v, depth + z) for (u, v), z in zip(places, bend, strict=True)], np.float32
    )


def keypoints() -> dict[str, np.ndarray | None]:
    """Both hands beside each other."""
    return {"left": joints("left"), "right": joints("right")}


def picture(seed: int = 0) -> np.ndarray:
    """(240, 320, 3) uint8 noise: the untrained network has no use for more."""
    return np.random.default_rng(seed).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def untrained_networks(*stages: str) -> CompactNetworks:
    """Compact networks as training starts them, always the same; the first stage and others."""
    torch.manual_seed(0)
    return CompactNetworks(stages=("initial", *stages))
