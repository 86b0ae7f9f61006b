"""Pictures of a device or a video file through OpenCV. No ROS here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

_USUAL_RATE = 30.0  # frames per second of a file that does not say


class SourceLost(OSError):
    """The source gives no pictures; the message names it and the remedy."""


def is_device(source: str) -> bool:
    """Whether a source is a device's number or file; else it is a video file."""
    return source.isdecimal() or source.startswith("/dev/")


class VideoCapture:
    """What the camera source reads pictures from.

    Args:
        source: device number, device file or video file.
        width, height, rate: requested from a device; 0: its own choice.

    Attributes:
        is_file: whether it is a video file. size: width and height, pixels. rate: Hz.

    Raises:
        SourceLost: it cannot be opened.
    """

    def __init__(self, source: str, width: int = 0, height: int = 0, rate: float = 0.0) -> None:
        self._source = source
        self.is_file = not is_device(source)
        if self.is_file and not Path(source).is_file():
            raise SourceLost(f"no video file '{source}': give a file, or a device such as 0")
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not self._capture.isOpened():
            raise SourceLost(self._describe_failure("cannot be opened"))
        if not self.is_file:
            self._request(width, height, rate)
        self.size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.rate = self._capture.get(cv2.CAP_PROP_FPS) or _USUAL_RATE

    def _request(self, width: int, height: int, rate: float) -> None:
        requested = {
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: rate,
            cv2.CAP_PROP_BUFFERSIZE: 1,  # an old picture is worse than none
        }
        for name, value in requested.items():
            if value:
                self._capture.set(name, value)

    def _describe_failure(self, what: str) -> str:
        remedy = (
            "is it a video that OpenCV reads?"
            if self.is_file
            else "is it plugged in, readable by this user and free of other programs "
            "(v4l2-ctl --list-devices)?"
        )
        return f"{'video' if self.is_file else 'camera'} '{self._source}' {what}: {remedy}"

    def grab(self) -> bool:
        """Take the next picture; False at the end of a file. Raises SourceLost."""
        if self._capture.grab():
            return True
        if self.is_file:
            return False
        raise SourceLost(self._describe_failure("gives no pictures any more"))

    def picture(self) -> np.ndarray:
        """The picture that was taken, (H, W, 3) uint8 BGR. Raises SourceLost."""
        read, pixels = self._capture.retrieve()
        if not read or pixels is None:
            raise SourceLost(self._describe_failure("gave a picture that cannot be decoded"))
        return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)

    def rewind(self) -> None:
        """Go to the first picture of a file."""
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)

    def close(self) -> None:
        """Release the source."""
        self._capture.release()
