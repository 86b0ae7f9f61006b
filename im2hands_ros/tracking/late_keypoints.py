"""Whether looks at the picture fit the keypoints of other frames better than those of their own.

Keypoints that are stamped when they are sent lie where the hands were, and near to where they are
while these move slowly: only the frames around a look tell lateness from a tracker's errors. Limits
by rendered streams: those in time have a ratio of 1.05 for both hands and of 1.18 for one at most,
with a tracker's errors, noise or a constant offset; most that are 0.2 s late have 1.3 and more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.landmark_encoder import SeenHand
from im2hands_ros.skeleton import JOINT_COUNT, SIDES
from im2hands_ros.tracking.interfaces import Joints

Pixels = NDArray[np.float64]  # (21, 2) of a hand's joints
# (looks, lags, 4): the error's mean over the joints in u and in v, that of its square, and the mean
# distance from the own frame's keypoints; shares of the hand's size, NaN where there are none.
Errors = NDArray[np.float64]
_SQUARE, _APART = 2, 3

LAGS = np.arange(-10, 21, 2)  # frames from a look to the keypoints that it is compared with
_NOW = int(np.flatnonzero(LAGS == 0)[0])
_KEPT = 8  # looks at each hand
_FEWEST, _FEWEST_EACH = {1: 4, 2: 6}, 2  # looks, by the number of hands, and at each
_PRESENCE = 0.4  # that a look must have; landmarks of other regions are no hand's
# How many times as well the keypoints of another frame fit, by the number of hands.
_BETTER = {1: 1.25, 2: 1.15}
_TOO = 1.05  # the same for each of two hands
_MOVED = 0.3  # share of the size within the lags
# Even numbers of frames between looks: lateness shows while hands move, and it may be put right.
_LATE, _MOVING, _STILL = 32, 90, 240


class _Look(NamedTuple):
    frame: int
    side: str
    pixels: Pixels
    size: float


class _Fit(NamedTuple):
    """How well the keypoints of another frame fit.

    Attributes:
        lag: the other frame's number, from the own one on.
        apart: by how much the own frame's lie beside, share of the hand's size.
        too: of each hand, how many times as well they fit as the own frame's.
    """

    lag: int
    apart: float
    too: dict[str, float]


class LateKeypoints:
    """Compares the last looks at each hand with the keypoints around them. For one thread.

    Attributes:
        pause: the most frames that there should be to the next look.
    """

    def __init__(self) -> None:
        self._frame = 0
        self._joints = deque[Mapping[str, Joints]](maxlen=int(np.ptp(LAGS)) + 1)
        self._waiting = deque[_Look]()
        self._errors = {side: deque[NDArray[np.float64]](maxlen=_KEPT) for side in SIDES}
        self._said: tuple[tuple[str, str], ...] = ()
        self.pause = _STILL

    def add(self, seen: Mapping[str, SeenHand], pixels: Mapping[str, Pixels]) -> None:
        """Looks at the next frame, aimed by these (21, 2) keypoints."""
        for side, hand in seen.items():
            if hand.presence >= _PRESENCE:
                around = np.square(pixels[side] - pixels[side].mean(0)).sum(1)
                size = 2 * max(float(np.sqrt(around.mean())), 1e-6)
                self._waiting.append(_Look(self._frame, side, hand.pixels, size))

    def check(self, camera: Camera, joints: Mapping[str, Joints]) -> tuple[tuple[str, str], ...]:
        """Kind and text, where the last looks fit other frames than their own.

        Args:
            camera: of the pictures.
            joints: (21, 3) metres, camera frame, of the next frame's sides that are there.
        """
        self._joints.append(joints)
        is_new = False
        while self._waiting and self._waiting[0].frame + LAGS[-1] <= self._frame:
            is_new |= self._compare(camera, self._waiting.popleft())
        self._frame += 1
        if is_new:
            self._said = tuple(self._late())
            self.pause = _LATE if self._said else _MOVING if self._has_moved() else _STILL
        return self._said

    def _compare(self, camera: Camera, look: _Look) -> bool:
        oldest = self._frame - len(self._joints) + 1
        errors = np.full((len(LAGS), JOINT_COUNT, 2), np.nan)
        for row, number in enumerate(look.frame + LAGS - oldest):
            given = self._joints[number].get(look.side) if number >= 0 else None
            if given is not None:
                errors[row] = (look.pixels - camera.project(given)) / look.size
        is_known = bool(np.isfinite(errors[_NOW]).all())
        if is_known:
            self._errors[look.side].append(_summary(errors))
        return is_known

    def _has_moved(self) -> bool:
        newest = [kept[-1] for kept in self._errors.values() if kept]
        return any(float(np.nanmax(each[:, _APART])) > _MOVED for each in newest)

    def _late(self) -> Iterator[tuple[str, str]]:
        looks = {side: np.array(kept) for side, kept in self._errors.items() if kept}
        fit = _best_fit(looks) if len(looks) == len(SIDES) else None
        if fit and (late := [side for side, ratio in fit.too.items() if ratio > _TOO]):
            yield _said_of(late, fit)
            return
        for side, each in looks.items():
            if fit := _best_fit({side: each}):
                yield _said_of([side], fit)


def _summary(errors: NDArray[np.float64]) -> Errors:
    """Of (lags, 21, 2) errors."""
    apart = np.linalg.norm(errors - errors[_NOW], axis=2).mean(1)
    squares = np.square(errors).sum(2).mean(1)
    return np.column_stack([errors.mean(1), squares, apart])


def _best_fit(looks: Mapping[str, Errors]) -> _Fit | None:
    """That of another frame's keypoints; None: none is so much better."""
    counts, own, other = (np.array(each) for each in zip(*map(_sums, looks.values()), strict=True))
    enough = (counts.sum(0) >= _FEWEST[len(looks)]) & (counts >= _FEWEST_EACH).all(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(enough, np.sqrt(own.sum(0) / other.sum(0)), 0.0)
        each = np.sqrt(own / other)
    best = int(np.argmax(ratios))
    if ratios[best] < _BETTER[len(looks)]:
        return None
    apart = np.concatenate([each[:, best, _APART] for each in looks.values()])
    too = dict(zip(looks, each[:, best].tolist(), strict=True))
    return _Fit(int(LAGS[best]), float(np.nanmean(apart)), too)


def _sums(looks: Errors) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each lag the looks that have keypoints, and over them the squared errors of their own
    frames' and of those, a constant offset set aside."""
    known = np.isfinite(looks[:, :, 0])
    counts = known.sum(0)
    own = np.where(known[..., None], looks[:, [_NOW]], 0.0)
    other = np.where(known[..., None], looks, 0.0)
    return counts, _around_mean(own, counts), _around_mean(other, counts)


def _around_mean(looks: Errors, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = looks.sum(0)
    mean_square = np.square(sums[:, :2]).sum(1) / np.maximum(counts, 1)
    return np.maximum(sums[:, _SQUARE] - mean_square, 1e-9)


def _said_of(sides: list[str], fit: _Fit) -> tuple[str, str]:
    hands = " and ".join(sides)
    if fit.lag > 0:
        return (
            "late_keypoints",
            f"the picture shows the {hands} hand as the keypoints have it {fit.lag} frames later, "
            f"{fit.apart:.2f} of its size away: the keypoints are late and bear the stamp "
            "of another frame: give them the stamp of the picture that they were found in",
        )
    return (
        "early_keypoints",
        f"the picture shows the {hands} hand as the keypoints had it {-fit.lag} frames before, "
        f"{fit.apart:.2f} of its size away: pictures are late, or the tracker predicts: stamp "
        "pictures when they are taken, and switch prediction off",
    )
