"""A folder's worth of scenes in memory: around every joint a ball of 1 cm is the hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from two_hands import CAMERA, joints, picture

from im2hands_ros.skeleton import SIDES
from im2hands_ros.training.scene_folder import TrainingScene


class BallScenes:
    """Every other scene has one hand only."""

    def __init__(self, count=4, points=256):
        self._scenes = [self._scene(index, points) for index in range(count)]

    def __len__(self):
        return len(self._scenes)

    def __getitem__(self, index):
        return self._scenes[index]

    def origin(self):
        return {}

    @staticmethod
    def _scene(index, count):
        rng = np.random.default_rng(index)
        sides = SIDES if index % 2 == 0 else SIDES[:1]
        xyz = {side: joints(side, depth=0.45 + 0.03 * index) for side in sides}
        points = {
            side: hand[rng.integers(21, size=count)] + rng.normal(0, 0.008, (count, 3))
            for side, hand in xyz.items()
        }
        depth = {
            side: 0.01 - np.linalg.norm(p[:, None] - xyz[side], axis=-1).min(1)
            for side, p in points.items()
        }
        mask = np.zeros((240, 320), np.uint8)
        mask[:, :160], mask[:, 160:] = 1, 2
        sample = SimpleNamespace(image=picture(index), mask=mask)
        shape = {side: rng.normal(size=12).astype(np.float32) for side in sides}
        return TrainingScene(sample, CAMERA, xyz, points, depth, shape)
