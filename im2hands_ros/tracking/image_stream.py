"""The frames of a video file or of a folder of images, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.pictures import orientation_notice, read_image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_USUAL_RATE = 30.0  # frames per second of what does not say


class ImageStream(Protocol):
    """Frames of one size.

    Attributes:
        size: width and height, pixels.
        rate: frames per second.
        count: how many there are, as the file says; 0 where it does not.
        notice: what is to be known about their orientation; empty if nothing.
    """

    size: tuple[int, int]
    rate: float
    count: int
    notice: str

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) uint8 RGB each."""


def open_stream(path: Path, rate: float | None = None) -> ImageStream:
    """The frames of a video file, or of a folder's images in the order of their names.

    Args:
        path: the file or folder.
        rate: frames per second, in place of what the video says or the usual 30.

    Raises:
        FileNotFoundError: nothing is there, or a folder without images.
        ValueError: a file that OpenCV cannot read, or a rate that is none.
    """
    if rate is not None and not rate > 0:
        raise ValueError(f"rate {rate:g}: give frames per second, more than 0")
    if path.is_dir():
        return ImageFolder(path, rate or _USUAL_RATE)
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' does not exist: give a video file or a folder of images")
    return VideoFile(path, rate)


class VideoFile:
    """An `ImageStream` of a video that OpenCV reads, turned as the file says."""

    notice = ""

    def __init__(self, path: Path, rate: float | None) -> None:
        self._path = path
        capture = self._open()
        properties = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(capture.get(each)) for each in properties)
        self.size = width, height
        self.rate = rate or capture.get(cv2.CAP_PROP_FPS) or _USUAL_RATE
        self.count = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        capture = self._open()
        try:
            while True:
                there, pixels = capture.read()
                if not there:
                    return
                yield np.ascontiguousarray(pixels[..., ::-1], np.uint8)
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise ValueError(
                f"'{self._path}' is no video that OpenCV reads: convert it to H.264 in an .mp4"
            )
        return capture


class ImageFolder:
    """An `ImageStream` of a folder's images: frame_2 comes before frame_10."""

    def __init__(self, path: Path, rate: float) -> None:
        files = [each for each in path.iterdir() if each.suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise FileNotFoundError(f"no images in '{path}': {' '.join(IMAGE_SUFFIXES)} are read")
        self._files = sorted(files, key=_by_number)
        first = read_image(self._files[0])
        self.notice = orientation_notice(self._files[0], first)
        height, width = first.shape[:2]
        self.size, self.rate, self.count = (width, height), rate, len(files)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for file in self._files:
            image = read_image(file)
            if image.shape[1::-1] != self.size:
                raise ValueError(
                    f"'{file}' is {image.shape[1]}x{image.shape[0]}, the first image "
                    f"{self.size[0]}x{self.size[1]}: images of one camera have one size"
                )
            yield image


def _by_number(file: Path) -> tuple[list[str | int], str]:
    parts: list[str | int] = [
        int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.stem)
    ]
    return parts, file.suffix
