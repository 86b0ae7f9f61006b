"""The node with hands that are ready made in place of the networks: all that is left is ROS.

    python -m im2hands_ros.ros.bench.ready_hands [--ros-args ...]

`frame_cost` measures it. Every frame is answered with the same two surfaces of 20 480 triangles
and 5000 voxels each, around the keypoints that came.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import trimesh

from im2hands_ros.camera import Camera
from im2hands_ros.pair import Keypoints
from im2hands_ros.pipeline import Settle
from im2hands_ros.ros.node import main
from im2hands_ros.scene import Hands, HandSurface
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import Joints

_SUBDIVISIONS = 5
TRIANGLES, VOXELS = 20 * 4**_SUBDIVISIONS, 5_000  # of each hand
_RADIUS = 0.04


@dataclass
class ReadyScene:
    """What the node needs of a scene."""

    keypoints: Mapping[str, Joints | None]
    surfaces: dict[str, HandSurface]
    swapped = False
    left = right = None

    @property
    def confidence(self) -> dict[str, float]:
        """1 for every hand that is there."""
        return {side: 1.0 for side, xyz in self.keypoints.items() if xyz is not None}

    def reconstruct(self, resolution: int, threshold: float, voxel_size: float) -> Hands:
        """The ready surfaces of the hands that are there."""
        left, right = (self.surfaces[side] if side in self.confidence else None for side in SIDES)
        return Hands(left, right)


class ReadyHands:
    """Has the methods of `Im2Hands` and takes no time."""

    stages = ("keypoints", "initial", "refinement")

    can_use_depth = False

    def __init__(self) -> None:
        self.refine_keypoints = self.refine_occupancy = False
        self._surfaces: dict[str, HandSurface] = {}

    def warm_up(self, resolution: int) -> None:
        """Make the surfaces."""
        self._surfaces = {"left": _surface(-0.1), "right": _surface(0.1)}

    def encode(
        self,
        image: np.ndarray,
        keypoints: Keypoints,
        camera: Camera,
        depth: np.ndarray | None = None,
        *,
        settle: Settle | None = None,
    ) -> ReadyScene:
        """The scene of these keypoints as given; nothing else matters."""
        return ReadyScene(keypoints, self._surfaces)


def _surface(x: float) -> HandSurface:
    ball = trimesh.creation.icosphere(_SUBDIVISIONS, _RADIUS)
    middle = np.array([x, 0, 0.5], np.float32)
    random = np.random.default_rng(0)
    directions = random.normal(size=(VOXELS, 3)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return HandSurface(
        vertices=ball.vertices.astype(np.float32) + middle,
        triangles=ball.faces.astype(np.int32),
        confidence=1.0,
        keypoints=middle + _RADIUS * directions[:21],
        voxels=middle + _RADIUS * directions,
        voxel_occupancy=random.uniform(0.5, 1, VOXELS).astype(np.float32),
    )


if __name__ == "__main__":
    main(sys.argv, lambda settings: ReadyHands())
