"""Balls in place of hands: what a demo test plays, a model that answers with them, and their truth.

Run as a program it is one of the demo's processes: ``ball_hands.py node|replay [ROS arguments]``.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from ball_surfaces import Surface
from scipy.spatial import ConvexHull

from im2hands_ros.camera import Camera
from im2hands_ros.scene import Hands

RADIUS = 0.04
FRAMES = 6
CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
_BONES = 0.03 * np.random.default_rng(0).normal(size=(21, 3)).astype(np.float32)


def unit_ball(count: int = 642) -> tuple[np.ndarray, np.ndarray]:
    """Points on a spiral from pole to pole and their hull's triangles, ccw from outside.

    Not trimesh's: importing that catches whatever is raised, Ctrl-C too.
    """
    along, turn = np.linspace(-1, 1, count), np.arange(count) * (np.pi * (3 - 5**0.5))
    across = np.sqrt(1 - along**2)
    points = np.stack([across * np.cos(turn), across * np.sin(turn), along], 1)
    triangles = ConvexHull(points).simplices
    inward = np.linalg.det(points[triangles]) < 0
    triangles[inward] = triangles[inward, ::-1]
    return points, triangles


_POINTS, _TRIANGLES = unit_ball()


def keypoints(frame: int) -> dict[str, np.ndarray | None]:
    """Two clouds of joints that approach each other; the left hand is missing in frame 0."""
    apart = 0.12 - 0.01 * frame
    left, right = (_BONES + np.float32([sign * apart, 0, 0.5]) for sign in (-1, 1))
    return {"left": None if frame == 0 else left, "right": right}


def ball(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ball that stands for a hand: vertices around the joints' centre, and triangles."""
    vertices = (RADIUS * _POINTS + joints.mean(0)).astype(np.float32)
    return vertices, _TRIANGLES.astype(np.int32)


def sequence() -> SimpleNamespace:
    """What is played, with true meshes; has what `DemoSequence` has."""
    frames = [
        SimpleNamespace(
            image=np.full((120, 160, 3), (60, 90, 120), np.uint8),
            keypoints=keypoints(i),
            meshes={
                side: None if joints is None else ball(joints)[0]
                for side, joints in keypoints(i).items()
            },
        )
        for i in range(FRAMES)
    ]
    return SimpleNamespace(frames=frames, camera=CAMERA, triangles=lambda side: _TRIANGLES)


class BallModel:
    """Has the methods of `Im2Hands` and takes 20 ms for a frame."""

    stages = ("initial",)
    swapped = False

    @property
    def confidence(self) -> dict[str, float]:
        """1 for every hand that is there."""
        return {side: 1.0 for side, joints in self._joints.items() if joints is not None}

    def warm_up(self, resolution: int) -> None:
        """Nothing to warm up."""

    def encode(
        self, image: np.ndarray, joints: dict[str, Any], camera: Camera, depth: Any = None, **_: Any
    ) -> BallModel:
        """Keep the keypoints."""
        self._joints = self.keypoints = joints
        return self

    def reconstruct(self, **_: Any) -> Hands:
        """A ball around the middle of each hand's keypoints."""
        time.sleep(0.02)
        hands = {side: _surface(self._joints.get(side)) for side in ("left", "right")}
        return Hands(**hands, timings_ms={"search": 20.0})


def _surface(joints: np.ndarray | None) -> Surface | None:
    if joints is None:
        return None
    vertices, triangles = ball(joints)
    return Surface(
        vertices=vertices,
        triangles=triangles,
        confidence=1.0,
        keypoints=np.asarray(joints, np.float32),
        voxels=vertices[::9],
        voxel_occupancy=np.full(len(vertices[::9]), 0.7, np.float32),
    )


def main(what: str, args: list[str]) -> int:
    """Be the node or the replay."""
    if what == "replay":
        from im2hands_ros.ros.demo import replay

        return replay.main(args, sequence())
    from im2hands_ros.ros import node

    return node.main(args, lambda settings: BallModel())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[1:]))
