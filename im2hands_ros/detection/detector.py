"""Images in, metric keypoints of both hands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.detection.following import HandFinder, HandFollower
from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.lift import PALM_LENGTH, lift, settle_pair
from im2hands_ros.detection.voting import side_probabilities
from im2hands_ros.skeleton import SIDES

# From a picture and (21, 3) landmarks by side to landmarks: `LandmarkCloseUps`.
CloseUps = Callable[[NDArray[np.uint8], Mapping[str, FloatArray]], dict[str, FloatArray]]


@dataclass(frozen=True)
class DetectedHand:
    """One hand, its joints in MANO order.

    Attributes:
        keypoints: (21, 3) float32, metres, camera frame.
        keypoints_px: (21, 2) float32, where the image shows them; the first pixel's centre is
            (0, 0). The wrist is MediaPipe's, which lies nearer the fingers than `keypoints`'.
        confidence: probability that it is a hand, and of its side, 0 to 1.
    """

    keypoints: NDArray[np.float32]
    keypoints_px: NDArray[np.float32]
    confidence: float


class HandDetector:
    """Metric keypoints of both hands of one person, in single images or in the frames of a video.

    Args:
        finder: sees hands around joints, and finds them; `load` makes one.
        search: see `HandFollower`.
        close_ups: moves landmarks to where the picture shows them; None: they stay.
    """

    def __init__(
        self, finder: HandFinder, search: bool = True, close_ups: CloseUps | None = None
    ) -> None:
        self._follow = HandFollower(finder, search)
        self._close_ups = close_ups

    @classmethod
    def load(cls, device: str = "cpu", search: bool = True) -> HandDetector:
        """A detector with the packaged networks, MediaPipe's for hands.

        Args:
            device: "cpu" or a torch device.
            search: in a video, search for a lost hand by turned and mirrored views, not only
                by the upright one.
        """
        # Torch is not imported for what needs no network.
        from im2hands_ros.detection.palms import PalmDetector
        from im2hands_ros.detection.search import HandSearch
        from im2hands_ros.networks.compact.landmark_close_ups import LandmarkCloseUps
        from im2hands_ros.networks.compact.landmark_encoder import (
            SECOND_HAND_WEIGHTS,
            ConditionedEncoder,
            LandmarkEncoder,
        )

        finder = HandSearch(
            PalmDetector.load(device),
            LandmarkEncoder.load(device=device),
            ConditionedEncoder.load(device=device),
            ConditionedEncoder.load(SECOND_HAND_WEIGHTS, device),
        )
        return cls(finder, search, LandmarkCloseUps.load())

    def detect(
        self,
        image: np.ndarray,
        camera: Camera,
        depth: np.ndarray | None = None,
        *,
        stamp: float | None = None,
        previous: Mapping[str, NDArray[np.floating] | None] | None = None,
        palm_length: float = PALM_LENGTH,
        mirrored: bool = False,
    ) -> dict[str, DetectedHand | None]:
        """The hands in an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera, depth, palm_length, mirrored: see `lift.lift`.
            stamp: seconds; hands are followed from one stamped image to the next. None: the image
                has nothing to do with any other.
            previous: side -> (21, 3) joints where that hand is believed to be, metres, camera
                frame, such as refined or predicted ones; None: where it was detected last.

        Returns:
            "left" and "right" -> the hand, None where there is none.
        """
        around = _in_picture(previous or {}, camera, mirrored)
        picture = image[:, ::-1] if mirrored else image
        found = self._closer(picture, self._follow(picture, stamp, around))
        hands: dict[str, DetectedHand | None] = dict.fromkeys(SIDES)
        sides = side_probabilities(found)
        for side, seen in found.items():
            landmarks = seen.mirrored(image.shape[1]) if mirrored else seen
            keypoints = lift(landmarks, camera, palm_length, depth, mirrored)
            if keypoints is not None:
                pixels = landmarks.pixels.astype(np.float32)
                confidence = landmarks.presence * sides[side]
                hands[side] = DetectedHand(keypoints, pixels, confidence)
        # A depth image gives a hand's distance better than the other hand does.
        return hands if depth is not None else _as_one_person(hands)

    def _closer(self, image: np.ndarray, hands: dict[str, Landmarks]) -> dict[str, Landmarks]:
        """The same hands as close-ups show them."""
        if self._close_ups is None:
            return hands
        places = {s: np.column_stack([it.pixels, it.relief]) for s, it in hands.items()}
        return {s: hands[s].moved_to(it) for s, it in self._close_ups(image, places).items()}


def _in_picture(
    hands: Mapping[str, NDArray[np.floating] | None], camera: Camera, mirrored: bool
) -> dict[str, FloatArray]:
    """(21, 2) pixels of the unmirrored picture; hands that it does not show are left out."""
    found = {}
    for side, joints in hands.items():
        if joints is None or not (joints[:, 2] > 0).all():
            continue
        pixels = camera.project(joints * (-1, 1, 1) if mirrored else joints)
        if mirrored:
            pixels = pixels * (-1, 1) + (camera.width - 1, 0)
        inside = (pixels >= 0) & (pixels < (camera.width, camera.height))
        if np.isfinite(pixels).all() and inside.all(axis=1).any():
            found[side] = pixels.astype(np.float64)
    return found


def _as_one_person(hands: dict[str, DetectedHand | None]) -> dict[str, DetectedHand | None]:
    left, right = hands["left"], hands["right"]
    if left is None or right is None:
        return hands
    settled = settle_pair(left.keypoints, right.keypoints)
    return {
        "left": replace(left, keypoints=settled[0]),
        "right": replace(right, keypoints=settled[1]),
    }
