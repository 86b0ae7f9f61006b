"""Looks at the picture where a tracker has hands, now and then: what is seen there.

MediaPipe's network is told nothing of the keypoints but where to look, so it is a second opinion.
A look takes some milliseconds: there are a few when a stream begins, or changes, and then one in
seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.landmark_encoder import LandmarkEncoder, SeenHand
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE
from im2hands_ros.networks.compact.landmark_regions import moved, region_of
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.interfaces import Joints

Pixels = NDArray[np.float64]  # (21, 2) of a hand's joints
LookAt = Callable[[NDArray[np.uint8], Mapping[str, Pixels]], Mapping[str, SeenHand]]

KEPT = 4  # looks at each hand that a judgement is made of
_SOON, _LATER = 4, 90  # frames to the next look at a hand
_MOST_SOON = 8  # looks in a row that may follow each other soon
_PAUSE = 30  # frames
# A hand that is looked at is in the picture, and the other one is not in the middle of its region.
_LEAST_INSIDE, _MOST_OTHER, _MIDDLE = 0.7, 0.2, (0.15, 0.85)
_SMALLEST_PX = 20.0


class Finding(NamedTuple):
    """What one look at a hand found; lengths are shares of the size that the keypoints have in the
    picture.

    Attributes:
        presence: probability that a hand is there.
        own_side: probability that it is of the side that the keypoints are called.
        offset: (2,) from the keypoints' middle to the seen landmarks'.
        growth: logarithm of how many times as large the hand is seen.
        shape: (21, 2) what landmarks and joints differ by, place and size set aside.
        size_px: of the keypoints, pixels.
    """

    presence: float
    own_side: float
    offset: Pixels
    growth: float
    shape: Pixels
    size_px: float


class PictureLooks:
    """Decides when to look, and keeps the last findings of each side. For one thread.

    Args:
        look_at: as `LandmarkEncoder.see`.
        is_odd: whether some findings of a hand contradict its keypoints; one that differs from
            those before it makes the next looks come soon.
    """

    def __init__(self, look_at: LookAt, is_odd: Callable[[list[Finding]], bool]) -> None:
        self._look_at, self._is_odd = look_at, is_odd
        self._kept: dict[str, deque[Finding]] = {side: deque(maxlen=KEPT) for side in SIDES}
        # The sides take turns, so that no frame has two looks.
        self._due = {side: (1 + number) * _SOON // 2 for number, side in enumerate(SIDES)}
        self._soon = dict.fromkeys(SIDES, 0)
        self._frame, self._began = 0, -_PAUSE

    @property
    def findings(self) -> dict[str, list[Finding]]:
        """The last ones of each side that was looked at."""
        return {side: list(kept) for side, kept in self._kept.items() if kept}

    def update(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        at_once: bool = False,
    ) -> None:
        """Look at the hands of the next frame whose turn it is.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera: its intrinsics.
            joints: (21, 3) metres, camera frame, of the sides that are there.
            at_once: look also out of turn at hands that nothing is known of.
        """
        self._frame += 1
        waiting = {
            side
            for side in joints
            if self._frame >= self._due[side] or (at_once and not self._kept[side])
        }
        if not waiting:
            return
        pixels = {side: camera.project(xyz) for side, xyz in joints.items()}
        free = {side: pixels[side] for side in waiting if is_free(side, pixels, camera)}
        for side, seen in (self._look_at(image, free) if free else {}).items():
            self._take(side, compare(seen, side, free[side]))

    def begin(self) -> None:
        """Forget what was seen, and look anew; not more often than once in `_PAUSE` frames."""
        if self._frame - self._began < _PAUSE:
            return
        self._began = self._frame
        for side, kept in self._kept.items():
            kept.clear()
            self._due[side], self._soon[side] = self._frame, 0

    def _take(self, side: str, finding: Finding) -> None:
        kept = self._kept[side]
        differs = bool(kept) and self._is_odd([finding]) != self._is_odd(list(kept))
        if differs and not self._soon[side] and len(kept) == KEPT:
            kept.clear()  # of another moment; a few looks from now on decide
        kept.append(finding)
        is_open = len(kept) < KEPT or differs
        self._soon[side] = self._soon[side] + 1 if is_open else 0
        if self._soon[side] >= _MOST_SOON:
            self._soon[side], is_open = 0, False
        self._due[side] = self._frame + (_SOON if is_open else _LATER)


def compare(seen: SeenHand, side: str, pixels: Pixels) -> Finding:
    """What a look says of joints at these (21, 2) pixels."""
    given, size = _centred(pixels)
    landmarks, seen_size = _centred(seen.pixels)
    return Finding(
        seen.presence,
        seen.right if side == "right" else 1 - seen.right,
        (seen.pixels.mean(0) - pixels.mean(0)) / size,
        float(np.log(seen_size / size)),
        landmarks / seen_size - given / size,
        size,
    )


def _centred(pixels: Pixels) -> tuple[Pixels, float]:
    """Around their middle, and twice the root mean square distance from it."""
    around = pixels - pixels.mean(0)
    return around, 2 * max(float(np.sqrt(np.square(around).sum(1).mean())), 1e-6)


def is_free(side: str, pixels: Mapping[str, Pixels], camera: Camera) -> bool:
    """Whether a look at this hand would show it, and none but it, if the keypoints are right."""
    own = pixels[side]
    if not all(np.isfinite(each).all() for each in pixels.values()):
        return False
    last = np.array([camera.width, camera.height]) - 0.5
    inside = ((own > -0.5) & (own < last)).all(axis=1).mean()
    if inside < _LEAST_INSIDE or np.linalg.norm(np.ptp(own, axis=0)) < _SMALLEST_PX:
        return False
    region = region_of(own, side == "left")
    low, high = (share * INPUT_SIZE for share in _MIDDLE)
    return all(
        _inside(moved(each, region), low, high) < _MOST_OTHER
        for other, each in pixels.items()
        if other != side
    )


def _inside(points: Pixels, low: float, high: float) -> float:
    return float(((points > low) & (points < high)).all(axis=1).mean())


def looks_on(device: torch.device) -> LookAt:
    """MediaPipe's network on a device, loaded and run once, so that no frame waits for that; use it
    from one thread."""
    encoder = LandmarkEncoder.load(device=str(device))
    for count in range(1, len(SIDES) + 1):  # each number of hands has memory of its own
        encoder(np.zeros((1, 1, 3), np.uint8), [np.eye(2, 3)] * count)
    return encoder.see


def each_once(
    look_at: LookAt, image: NDArray[np.uint8], camera: Camera, joints: Mapping[str, Joints]
) -> Iterator[tuple[str, Finding]]:
    """One look at each hand of a single picture that can be looked at; arguments as `update`'s."""
    pixels = {side: camera.project(xyz) for side, xyz in joints.items()}
    free = {side: each for side, each in pixels.items() if is_free(side, pixels, camera)}
    for side, seen in (look_at(image, free) if free else {}).items():
        yield side, compare(seen, side, free[side])
