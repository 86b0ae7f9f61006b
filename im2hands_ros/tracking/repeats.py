"""Streams of which one stands still while the other goes on, under new stamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.tracking.interfaces import Joints

_FRAMES = 30  # a second; a driver may repeat one or two


class Repeats:
    """Notices images, or keypoints, that are the same to the last bit in frame after frame.

    A simulated scene may stand still: then both do, and nothing is said.
    """

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}
        self._same = {"image": 0, "keypoints": 0}

    def check(
        self, image: NDArray[np.uint8], joints: Mapping[str, Joints]
    ) -> Iterator[tuple[str, str]]:
        """Kind and text of the stream that stands still.

        Args:
            image: (H, W, 3) uint8.
            joints: (21, 3) of the sides that are there.
        """
        now = {"image": image[::8, ::8].tobytes(), "keypoints": _bytes(joints)}
        for name, each in now.items():
            self._same[name] = self._same[name] + 1 if each == self._last.get(name) else 0
        self._last = now
        images, keypoints = self._same.values()
        if keypoints >= _FRAMES > images:
            yield (
                "frozen_keypoints",
                f"{keypoints} frames have had the same keypoints to the last bit while the image "
                "changed: let the tracker send nothing, or left_valid and right_valid false, for "
                "hands that it has lost",
            )
        if images >= _FRAMES > keypoints:
            yield (
                "frozen_image",
                f"{images} frames have had the same image to the last bit while the keypoints "
                "moved: restart the camera driver, it sends an old image under new stamps",
            )


def _bytes(joints: Mapping[str, Joints]) -> bytes:
    return b"".join(side.encode() + xyz.tobytes() for side, xyz in sorted(joints.items()))
