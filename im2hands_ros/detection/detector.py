"""Images in, metric keypoints of both hands out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.detection.landmarker import DETECTION, PRESENCE, TRACKING, Landmarker
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.lift import PALM_LENGTH, lift, settle_pair
from im2hands_ros.detection.sides import Sides
from im2hands_ros.skeleton import SIDES


class FindLandmarks(Protocol):
    """Finds hands in an image; `landmarker.Landmarker` is one."""

    def __call__(self, image: np.ndarray, stamp: float | None, /) -> list[Landmarks]:
        """Landmarks in an unmirrored (H, W, 3) uint8 RGB image; stamp as in `detect`."""


@dataclass(frozen=True)
class DetectedHand:
    """One hand, its joints in MANO order.

    Attributes:
        keypoints: (21, 3) float32, metres, camera frame.
        keypoints_px: (21, 2) float32, where the image shows them; the first pixel's centre is
            (0, 0). The wrist is MediaPipe's, which lies nearer the fingers than `keypoints`'.
        confidence: probability of its side, 0 to 1.
    """

    keypoints: NDArray[np.float32]
    keypoints_px: NDArray[np.float32]
    confidence: float


class HandDetector:
    """Metric keypoints of both hands of one person, in single images or in the frames of a video.

    Args:
        find: finds the landmarks; `load` takes MediaPipe's landmarker.
    """

    def __init__(self, find: FindLandmarks) -> None:
        self._find = find
        self._sides = Sides()

    @classmethod
    def load(
        cls,
        model: str = "",
        detection: float = DETECTION,
        presence: float = PRESENCE,
        tracking: float = TRACKING,
        redetect: bool = True,
    ) -> HandDetector:
        """A detector with MediaPipe's hand landmarker.

        Args:
            model: its bundle (.task); empty: the one that `bundle` made.
            detection, presence, tracking: MediaPipe's thresholds, 0 to 1.
            redetect: where fewer than two hands are found, detect again in the image made smaller.

        Raises:
            FileNotFoundError: the bundle is not there; says how to make it.
            RuntimeError: MediaPipe is not installed, or the file is no model.
        """
        return cls(Landmarker(find_bundle(model), detection, presence, tracking, redetect))

    def detect(
        self,
        image: np.ndarray,
        camera: Camera,
        depth: np.ndarray | None = None,
        *,
        stamp: float | None = None,
        palm_length: float = PALM_LENGTH,
        mirrored: bool = False,
    ) -> dict[str, DetectedHand | None]:
        """The hands in an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera, depth, palm_length, mirrored: see `lift.lift`.
            stamp: seconds; hands are followed from one stamped image to the next. None: the image
                has nothing to do with any other.

        Returns:
            "left" and "right" -> the hand, None where there is none.
        """
        found = self._find(image[:, ::-1] if mirrored else image, stamp)
        sides = Sides() if stamp is None else self._sides
        hands: dict[str, DetectedHand | None] = dict.fromkeys(SIDES)
        for each in sides.assign(found, stamp or 0.0):
            landmarks = each.landmarks
            if mirrored:
                landmarks = landmarks.mirrored(image.shape[1])
            keypoints = lift(landmarks, camera, palm_length, depth, mirrored)
            if keypoints is not None:
                pixels = landmarks.pixels.astype(np.float32)
                hands[each.side] = DetectedHand(keypoints, pixels, each.confidence)
        # A depth image gives a hand's distance better than the other hand does.
        return hands if depth is not None else _as_one_person(hands)


def _as_one_person(hands: dict[str, DetectedHand | None]) -> dict[str, DetectedHand | None]:
    left, right = hands["left"], hands["right"]
    if left is None or right is None:
        return hands
    settled = settle_pair(left.keypoints, right.keypoints)
    return {
        "left": replace(left, keypoints=settled[0]),
        "right": replace(right, keypoints=settled[1]),
    }
