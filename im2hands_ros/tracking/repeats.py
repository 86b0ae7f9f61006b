"""Streams of which one stands still while the other goes on, under new stamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.tracking.interfaces import Joints

_FRAMES = 30  # a second; a driver may repeat one or two
_FRAMES_OF_ONE = 15  # of one hand while the other one's joints change
_SAMPLE = 8  # pixels from one that is compared to the next


class Repeats:
    """Notices images, or keypoints, that are the same to the last bit in frame after frame.

    A simulated scene, or a hand in it, may stand still: then the picture there does too, and
    nothing is said.
    """

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}
        self._same = {"image": 0, "keypoints": 0}
        self._hands: dict[str, tuple[bytes, int]] = {}  # last joints, and frames that had them
        self._sample: NDArray[np.uint8] | None = None

    def check(
        self, image: NDArray[np.uint8], joints: Mapping[str, Joints], camera: Camera
    ) -> Iterator[tuple[str, str]]:
        """Kind and text of the stream that stands still.

        Args:
            image: (H, W, 3) uint8.
            joints: (21, 3) of the sides that are there.
            camera: of the image.
        """
        sample = image[::_SAMPLE, ::_SAMPLE].copy()
        yield from self._one_hand(sample, joints, camera)
        now = {"image": sample.tobytes(), "keypoints": _bytes(joints)}
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

    def _one_hand(
        self, sample: NDArray[np.uint8], joints: Mapping[str, Joints], camera: Camera
    ) -> Iterator[tuple[str, str]]:
        """A hand that a tracker has lost, and repeats while it follows the other one."""
        for side, xyz in joints.items():
            last, count = self._hands.get(side, (b"", 0))
            now = xyz.tobytes()
            if now != last:
                count = 0
            elif self._has_changed(sample, camera.project(xyz)):
                count += 1
            self._hands[side] = now, count
        self._sample = sample
        counts = {side: self._hands[side][1] for side in joints}
        stale = {side: count for side, count in counts.items() if count >= _FRAMES_OF_ONE}
        if len(stale) == 1 < len(counts):
            ((side, count),) = stale.items()
            yield (
                "frozen_keypoints",
                f"{count} frames have had the same keypoints of the {side} hand to the last bit "
                f"while the image there changed and the other hand moved: let the tracker send "
                f"{side}_valid false for a hand that it has lost",
            )

    def _has_changed(self, sample: NDArray[np.uint8], pixels: NDArray[np.float64]) -> bool:
        """Whether the picture around these pixels is another one than in the last frame."""
        if self._sample is None or self._sample.shape != sample.shape:
            return False
        size = np.array(sample.shape[1::-1])
        low, high = (np.nan_to_num(f(pixels, axis=0)) / _SAMPLE for f in (np.min, np.max))
        left, top = np.clip(low, 0, size).astype(int)
        right, bottom = np.clip(high + 1, 0, size).astype(int)
        here = np.s_[top:bottom, left:right]
        return not np.array_equal(sample[here], self._sample[here])


def _bytes(joints: Mapping[str, Joints]) -> bytes:
    return b"".join(side.encode() + xyz.tobytes() for side, xyz in sorted(joints.items()))
