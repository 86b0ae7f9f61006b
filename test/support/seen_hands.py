"""Open hands, and what perfect networks or a depth camera would find of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.skeleton import BONES, WRIST

CAMERA = Camera(640, 480, 560.0, 540.0, 310.0, 250.0)
SKIN = 0.012


def open_hand(distance: float = 0.5, aside: float = 0.05, size: float = 1.0) -> np.ndarray:
    """(21, 3) joints of an open hand, its fingers leaning away from the camera."""
    points = np.zeros((21, 3))
    for bone, (parent, child) in enumerate(BONES):
        finger, level = divmod(bone, 4)
        length = size * (0.093 if level == 0 else 0.028)
        angle = 0.3 * (finger - 2)
        points[child] = points[parent] + length * np.array(
            [np.sin(angle), -0.9 * np.cos(angle), 0.4 * np.cos(angle)]
        )
    return points - points.mean(axis=0) + [aside, 0.02, distance]


Pictured = Mapping[str, Landmarks]


class PerfectFinder:
    """A `following.HandFinder` that finds all hands, and sees each from wherever it is looked for.

    Args:
        hands: the hands of every picture, or what gives them for a picture.
    """

    def __init__(self, hands: Pictured | Callable[[NDArray[np.uint8]], Pictured]) -> None:
        self._hands = hands if callable(hands) else lambda image: hands
        self.searches: list[tuple[tuple[str, ...], int | None]] = []
        """Of every search the known sides and the part."""

    def search(
        self, image: NDArray[np.uint8], known: Pictured, part: int | None = None, may_be=None
    ) -> dict[str, Landmarks]:
        self.searches.append((tuple(known), part))
        found = {side: hand for side, hand in self._hands(image).items() if side not in known}
        return {
            side: hand
            for side, hand in found.items()
            if may_be is None or any(may_be(each, hand) for each in found)
        }

    def palms(self, image: NDArray[np.uint8]) -> list[FloatArray]:
        return [hand.centre for hand in self._hands(image).values()]

    def see(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]:
        gone = Landmarks(np.zeros((21, 2)), np.zeros(21), np.zeros((21, 3)), 0.5, 0.0)
        hands = self._hands(image)
        return {side: hands.get(side, gone) for side in joints_px}

    def see_pair(
        self, image: NDArray[np.uint8], joints_px: Mapping[str, FloatArray]
    ) -> dict[str, Landmarks]:
        return self.see(image, joints_px)


def landmarks_of(
    joints: np.ndarray, camera: Camera, right: float = 0.9, presence: float = 1.0
) -> Landmarks:
    """What a perfect landmark network would see of these joints."""
    depth = joints[:, 2]
    relief = (depth / depth.mean() - 1) * (camera.fx + camera.fy) / 2
    middle = joints - joints.mean(axis=0)
    return Landmarks(camera.project(joints), relief, 0.7 * middle, right, presence)


def fingers(joints: np.ndarray) -> np.ndarray:
    """All but the wrist, which is moved on purpose."""
    return np.delete(joints, WRIST, axis=0)


def shifted(joints: np.ndarray, x: float) -> np.ndarray:
    return joints + [x, 0, 0]


def depth_image(joints: np.ndarray, camera: Camera, background: float = 0.0) -> np.ndarray:
    """Skin in a window around each joint, something else everywhere else."""
    depth = np.full((camera.height, camera.width), background, np.float32)
    pixels = np.rint(camera.project(joints)).astype(int)
    for (column, row), z in zip(pixels, joints[:, 2], strict=True):
        depth[row - 3 : row + 4, column - 3 : column + 4] = z - SKIN
    return depth
