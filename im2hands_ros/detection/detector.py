"""Pictures in, metric keypoints of both hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.lift import PALM_LENGTH, lift
from im2hands_ros.detection.pairing import settle_pair
from im2hands_ros.detection.sides import Sides

FindLandmarks = Callable[[np.ndarray, float], list[Landmarks]]


@dataclass(frozen=True)
class DetectedHand:
    """One hand: (21, 3) float32 keypoints, metres, camera frame, MANO order; its confidence."""

    keypoints: np.ndarray
    confidence: float


class HandDetector:
    """Keypoints of the hands in the frames of one video.

    Args:
        find: gives the landmarks in an unmirrored (H, W, 3) uint8 RGB frame taken at a time in
            seconds; `landmarker.Landmarker` is one.
    """

    def __init__(self, find: FindLandmarks) -> None:
        self._find = find
        self._sides = Sides()

    def detect(
        self,
        image: np.ndarray,
        seconds: float,
        camera: Camera,
        palm_length: float = PALM_LENGTH,
        depth: np.ndarray | None = None,
        mirrored: bool = False,
    ) -> dict[str, DetectedHand]:
        """The hands in the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            seconds: when it was taken.
            camera, palm_length, depth, mirrored: see `lift.lift`.

        Returns:
            "left", "right" -> hand; a side without a hand is left out.
        """
        found = self._find(image[:, ::-1] if mirrored else image, seconds)
        hands = {}
        for each in self._sides.assign(found, seconds):
            landmarks = each.landmarks
            if mirrored:
                landmarks = landmarks.mirrored(image.shape[1])
            keypoints = lift(landmarks, camera, palm_length, depth, mirrored)
            if keypoints is not None:
                hands[each.side] = DetectedHand(keypoints, each.confidence)
        # A depth image tells better than one hand could of the other.
        return hands if depth is not None else _as_one_person(hands)


def _as_one_person(hands: dict[str, DetectedHand]) -> dict[str, DetectedHand]:
    if len(hands) < 2:
        return hands
    settled = settle_pair(*(hand.keypoints for hand in hands.values()))
    return {
        side: replace(hand, keypoints=keypoints)
        for (side, hand), keypoints in zip(hands.items(), settled, strict=True)
    }
