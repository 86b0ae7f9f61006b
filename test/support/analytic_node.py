"""The node with a small exact model in place of the networks: a sphere at each keypoint.

    python analytic_node.py [--delay SECONDS] [--cost SECONDS] [--refuse] [--look]
                            [--stages NAME,NAME...] [--ros-args ...]

A surface takes `delay`, and `cost` for an image of brightness 100 at 64 lattice cells, else more
or less in proportion to the brightness and to the square of the resolution.

It raises on an all-white image, so that tests can make the pipeline fail on a chosen frame. With
`--look` the spheres are moved so that the wrist is where the image is bright, at its depth. Refined
keypoints are farther away by `REFINED`; refined surfaces have the confidence 0.5, others 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from ball_surfaces import RADIUS, Hands, balls

from im2hands_ros.camera import Camera
from im2hands_ros.ros.node import main

REFINED = np.float32([0, 0, 0.02])


def occupancy(keypoints: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Probability of points to be in one of the balls: 0.5 at their surfaces."""
    squares = ((points[:, None] - keypoints) ** 2).sum(-1).min(1)
    return (0.5 - 0.5 * np.tanh((np.sqrt(squares) - RADIUS) / 0.004)).astype(np.float32)


@dataclass
class Field:
    keypoints: np.ndarray

    def occupancy(self, points: np.ndarray) -> np.ndarray:
        if (points > 100).any():
            raise MemoryError("the points are too far away")
        return occupancy(self.keypoints, points)


class Scene:
    swapped = False

    def __init__(self, keypoints: dict, confidence: float, delay: float, cost: float) -> None:
        self.keypoints, self._delay, self._cost = keypoints, delay, cost
        self.confidence = {
            side: None if xyz is None else confidence for side, xyz in keypoints.items()
        }
        fields = {side: None if xyz is None else Field(xyz) for side, xyz in keypoints.items()}
        self.left, self.right = fields["left"], fields["right"]

    def reconstruct(self, resolution: int, threshold: float, voxel_size: float) -> Hands:
        start = time.perf_counter()
        time.sleep(self._delay + self._cost * (resolution / 64) ** 2)
        surfaces = {
            side: None if xyz is None else balls(xyz, self.confidence[side])
            for side, xyz in self.keypoints.items()
        }
        return Hands(**surfaces, timings_ms={"extract": 1e3 * (time.perf_counter() - start)})


class Spheres:
    can_use_depth = True
    refine_keypoints = refine_occupancy = False

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._options = arguments
        self.stages = tuple(arguments.stages.split(","))

    def warm_up(self, resolution: int) -> None:
        pass

    def encode(
        self, image: np.ndarray, keypoints: dict, camera: object, depth: object = None, **_: object
    ) -> Scene:
        options = self._options
        if image.min() == 255:
            raise RuntimeError("the image is all white")
        moved = looked_at(image, keypoints, camera) if options.look else keypoints
        if self.refine_keypoints:
            moved = {side: None if xyz is None else xyz + REFINED for side, xyz in moved.items()}
        confidence = 0.5 if self.refine_occupancy else 1.0
        return Scene(moved, confidence, options.delay, options.cost * image.mean() / 100)


def looked_at(image: np.ndarray, keypoints: dict, camera: Camera) -> dict:
    """The keypoints with their wrist on the ray through the middle of what is bright."""
    weights = np.maximum(image[..., 0].astype(float) - 100, 0)
    v, u = np.indices(weights.shape)
    pixel = np.array([[(u * weights).sum(), (v * weights).sum()]]) / weights.sum()
    return {
        side: None
        if xyz is None
        else xyz + (camera.back_project(pixel, xyz[:1, 2])[0] - xyz[0]).astype(np.float32)
        for side, xyz in keypoints.items()
    }


def _load(arguments: argparse.Namespace) -> Spheres:
    if arguments.refuse:
        raise FileNotFoundError("weights 'nowhere.safetensors' do not exist: give another file")
    return Spheres(arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--cost", type=float, default=0.0)
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--stages", default="initial")
    arguments, rest = parser.parse_known_args()
    main([sys.argv[0], *rest], lambda settings: _load(arguments))
