"""MediaPipe's hand landmarker, kept to this machine."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.redetection import enlarged, missed, smaller

INSTALL_IT = (
    "run `pip install 'im2hands_ros[detector]'` and `pip install --no-deps mediapipe==1.2.2`"
)
# MediaPipe's own are 0.5: at 0.3 a sixth more of our renders' hands are found, and no hand where
# there is none (80 backgrounds, three photographs with their hands taken out).
DETECTION, PRESENCE, TRACKING = 0.3, 0.3, 0.5
_MOST_HANDS = 2
_NOBODY = "http://127.0.0.1:9"  # the discard port: the connection is refused at once


def keep_to_this_machine(proxy: str = _NOBODY) -> None:
    """Let MediaPipe's usage reports end on the loopback.

    Releases after 0.10.21 send metrics to play.googleapis.com and have no switch for that
    (google-ai-edge/mediapipe#6291). They use libcurl, which obeys these variables of the process
    and then does not even query a name server. Other code of the same process obeys them too.
    """
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        os.environ[name] = proxy


class Landmarker:
    """Finds up to two hands in an image, or in the frames of a video.

    Args:
        bundle: the model file, see `bundle.find_bundle`.
        detection, presence, tracking: MediaPipe's three thresholds, 0 to 1.
        redetect: detect again, see `redetection`, where fewer than two hands are found.
        proxy: see `keep_to_this_machine`.

    Raises:
        RuntimeError: MediaPipe is not installed, or the file is no model.
    """

    def __init__(
        self,
        bundle: Path,
        detection: float = DETECTION,
        presence: float = PRESENCE,
        tracking: float = TRACKING,
        redetect: bool = True,
        proxy: str = _NOBODY,
    ) -> None:
        keep_to_this_machine(proxy)
        try:
            import mediapipe
            from mediapipe.tasks.python import vision
        except ImportError as error:
            raise RuntimeError(f"MediaPipe cannot be used ({error}): {INSTALL_IT}") from error
        thresholds = {
            "min_hand_detection_confidence": detection,
            "min_hand_presence_confidence": presence,
            "min_tracking_confidence": tracking,
        }
        self._still = _task(bundle, vision.RunningMode.IMAGE, thresholds)
        self._video = _task(bundle, vision.RunningMode.VIDEO, thresholds)
        self._redetect = redetect
        self._image = mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB
        self._milliseconds = 0
        _close_in_time(self, [self._still, self._video])

    def __call__(self, image: np.ndarray, stamp: float | None = None) -> list[Landmarks]:
        """The hands in an image, in no particular order.

        Args:
            image: (H, W, 3) uint8 RGB, not mirrored.
            stamp: when the next frame of the video was taken, seconds; a clock that steps back
                does no harm. None: the image is no frame of it.
        """
        if stamp is None:
            result = self._still.detect(self._packed(image))
        else:
            # MediaPipe refuses stamps that do not rise.
            self._milliseconds = max(self._milliseconds + 1, round(1e3 * stamp))
            result = self._video.detect_for_video(self._packed(image), self._milliseconds)
        found = _read(result, image)
        if self._redetect and len(found) < _MOST_HANDS:
            again = _read(self._still.detect(self._packed(smaller(image))), image)
            found += missed(found, [enlarged(hand, image.shape[:2]) for hand in again])
        return found

    def _packed(self, image: np.ndarray) -> Any:
        return self._image(image_format=self._format, data=np.ascontiguousarray(image))


def _close_in_time(owner: Landmarker, tasks: list[Any]) -> None:
    """Close MediaPipe's tasks with their owner, or when the program ends.

    A task closes on a thread of its own, which has ended by the time that `atexit` or `__del__`
    run; threading's own exit handlers, which the standard library keeps to itself, run before.
    """

    def close() -> None:
        for task in tasks:
            task.close()

    threading._register_atexit(weakref.finalize(owner, close))  # type: ignore[attr-defined]


def _task(bundle: Path, mode: Any, thresholds: dict[str, float]) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.HandLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(bundle)),
        running_mode=mode,
        num_hands=_MOST_HANDS,
        **thresholds,
    )
    try:
        return vision.HandLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RuntimeError(f"{bundle} is no hand landmarker model: {reason}") from error


def _read(result: Any, image: np.ndarray) -> list[Landmarks]:
    size = image.shape[1::-1]
    hands = zip(result.hand_landmarks, result.hand_world_landmarks, result.handedness, strict=True)
    return [_hand(points, shape, labels[0], size) for points, shape, labels in hands]


def _hand(points: Any, shape: Any, label: Any, size: tuple[int, int]) -> Landmarks:
    """From edges of the image at 0 and 1 to centres of pixels at whole numbers."""
    in_image = np.array([(point.x, point.y, point.z) for point in points], np.float64)
    shape_xyz = np.array([(point.x, point.y, point.z) for point in shape], np.float64)
    # The current releases name the hand as an unmirrored picture shows it; 0.10.21's old API
    # named the other one.
    right = label.score if label.category_name == "Right" else 1 - label.score
    # MediaPipe's z has about the scale of its x.
    return Landmarks(
        in_image[:, :2] * size - 0.5, in_image[:, 2] * size[0], shape_xyz, float(right)
    )
