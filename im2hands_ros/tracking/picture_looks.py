"""Looks at the picture where a tracker has hands, now and then: what is seen there.

Clasped hands are looked at together, for the network cannot know which of the two is meant.

MediaPipe's network has nothing of the keypoints but where to look, so it is a second opinion.
A look takes some milliseconds: there are a few when a stream begins, or changes, and then one in
seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
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
# Even numbers of frames to the next look at a hand: soon, and ever later while nothing changes.
_SOON, _LATER = 4, (16, 64, 240)
_WHERE = 16  # frames after which it is seen anew whether hands are clasped, or there
_MOST_SOON = 8  # looks in a row that may follow each other soon
_PAUSE = 30  # frames
_LEAST_INSIDE = 0.9  # share of the joints; of hands that are cut off a look says little
# Hands are clasped where so many joints of one are in the middle of the other's region.
_MOST_OTHER, _MIDDLE = 0.2, (0.15, 0.85)
BOTH = "both"  # of clasped hands
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
        turn: its angle is that from keypoints to landmarks in the picture, clockwise, radians; its
            length in [0, 1], how well the shapes agree when turned by it.
    """

    presence: float
    own_side: float
    offset: Pixels
    growth: float
    shape: Pixels
    size_px: float
    turn: complex


class PictureLooks:
    """Decides when to look, and keeps the last findings of each hand, or of both where they are
    clasped. For one thread.

    Args:
        look_at: as `LandmarkEncoder.see`.
        is_odd: whether some findings of `SIDES` or `BOTH` contradict the keypoints; one that
            differs from those before it makes the next looks come soon.

    Attributes:
        at_most: frames between two looks at a hand, however little changes.
    """

    def __init__(self, look_at: LookAt, is_odd: Callable[[str, list[Finding]], bool]) -> None:
        self._look_at, self._is_odd = look_at, is_odd
        self._kept = {name: deque[Finding](maxlen=KEPT) for name in (*SIDES, BOTH)}
        # The sides take turns, so that no frame has two looks.
        self._due = {name: 2 * (1 + number) for number, name in enumerate(self._kept)}
        self._soon = dict.fromkeys(self._kept, 0)
        self._calm = dict.fromkeys(self._kept, 0)  # looks since the last one that came soon
        self._frame, self._began = 0, -_PAUSE
        self._current: dict[str, list[Finding]] = {}
        self._names = [*SIDES]
        self.at_most = _LATER[-1]

    def update(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        joints: Mapping[str, Joints],
        at_once: bool = False,
    ) -> dict[str, list[Finding]]:
        """Look at the hands of the next frame whose turn it is.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera: its intrinsics.
            joints: (21, 3) metres, camera frame, of the sides that are there.
            at_once: look also out of turn at hands that nothing is known of.

        Returns:
            What was found so far of the hands as they are now, clasped or not.
        """
        self._frame += 1
        if not at_once and not self._is_due():
            return self._current
        pixels = {side: camera.project(xyz) for side, xyz in joints.items()}
        pixels = {side: each for side, each in pixels.items() if is_inside(each, camera)}
        self._names = names = [BOTH] if are_clasped(pixels) else list(pixels)
        due = [
            name
            for name in names
            if self._frame >= self._due[name] or (at_once and not self._kept[name])
        ]
        if due:
            shown = pixels if due == [BOTH] else {side: pixels[side] for side in due}
            found = compared(self._look_at(image, shown), shown)
            for name in due:
                self._take(name, together(list(found.values())) if name == BOTH else found[name])
        if len(self._kept[BOTH]) < KEPT and names == [BOTH]:
            names = [*names, *pixels]  # what was seen before they clasped
        self._current = {name: list(kept) for name in names if (kept := self._kept[name])}
        return self._current

    def begin(self) -> None:
        """Forget what was seen, and look anew; not more often than once in `_PAUSE` frames."""
        if self._frame - self._began < _PAUSE:
            return
        self._began = self._frame
        for name, kept in self._kept.items():
            kept.clear()
            self._due[name], self._soon[name] = self._frame, 0

    def _is_due(self) -> bool:
        by_turn = any(self._frame >= self._due[name] for name in self._names)
        return self._frame % _WHERE == 0 or (by_turn and self._frame % 2 == 0)

    def _take(self, name: str, finding: Finding) -> None:
        kept = self._kept[name]
        differs = bool(kept) and self._is_odd(name, [finding]) != self._is_odd(name, list(kept))
        if differs and not self._soon[name] and len(kept) == KEPT:
            kept.clear()  # of another moment; a few looks from now on decide
        kept.append(finding)
        is_open = len(kept) < KEPT or differs
        self._soon[name] = self._soon[name] + 1 if is_open else 0
        if self._soon[name] >= _MOST_SOON:
            self._soon[name], is_open = 0, False
        self._calm[name] = 0 if is_open else self._calm[name] + 1
        later = min(_LATER[min(self._calm[name], len(_LATER)) - 1], self.at_most)
        self._due[name] = self._frame + (_SOON if is_open else later)


def compared(seen: Mapping[str, SeenHand], pixels: Mapping[str, Pixels]) -> dict[str, Finding]:
    """Of each side, what a look says of joints at these (21, 2) pixels."""
    return {side: compare(hand, side, pixels[side]) for side, hand in seen.items()}


def together(found: list[Finding]) -> Finding:
    """What looks at clasped hands say of them; nothing of their sides."""
    mean = Finding(*(np.mean(values, axis=0) for values in zip(*found, strict=True)))
    return mean._replace(own_side=0.5)


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
        4
        * complex(np.vdot(_as_complex(given), _as_complex(landmarks)))
        / (seen_size * size * len(given)),
    )


def _as_complex(points: Pixels) -> NDArray[np.complex128]:
    return points[:, 0] + 1j * points[:, 1]


def _centred(pixels: Pixels) -> tuple[Pixels, float]:
    """Around their middle, and twice the root mean square distance from it."""
    around = pixels - pixels.mean(0)
    return around, 2 * max(float(np.sqrt(np.square(around).sum(1).mean())), 1e-6)


def is_inside(pixels: Pixels, camera: Camera) -> bool:
    """Whether a look at this hand would show it, if the keypoints are right."""
    if not np.isfinite(pixels).all():
        return False
    last = np.array([camera.width, camera.height]) - 0.5
    inside = ((pixels > -0.5) & (pixels < last)).all(axis=1).mean()
    return bool(inside >= _LEAST_INSIDE and np.linalg.norm(np.ptp(pixels, axis=0)) >= _SMALLEST_PX)


def are_clasped(pixels: Mapping[str, Pixels]) -> bool:
    """Whether a look at one of two hands would show the other one too."""
    if len(pixels) < len(SIDES):
        return False
    low, high = (share * INPUT_SIZE for share in _MIDDLE)
    left, right = (pixels[side] for side in SIDES)
    return any(
        _inside(moved(other, region_of(own, mirrored)), low, high) >= _MOST_OTHER
        for own, other, mirrored in ((left, right, True), (right, left, False))
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
) -> dict[str, Finding]:
    """One look at each hand of a single picture; arguments as `PictureLooks.update`'s."""
    pixels = {side: camera.project(xyz) for side, xyz in joints.items()}
    shown = {side: each for side, each in pixels.items() if is_inside(each, camera)}
    found = compared(look_at(image, shown), shown) if shown else {}
    return {BOTH: together(list(found.values()))} if are_clasped(shown) else found
