"""The lengths of a hand's bones, which do not change: measured over time, then held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import JOINT_COUNT, LINKS

Array = NDArray[np.float64]

_LINKS = np.array(LINKS)
_STARTS, _ENDS = _LINKS.T
# Frames before lengths are held at all, further ones until they are held half, and those that a
# mean goes back.
_FEWEST, _HALF_HELD, _HORIZON = 5.0, 20.0, 900.0
_NATURAL = 0.002  # by which lengths vary where a hand bends, metres
_STEPS = 4
_CALIBRATED = 300.0  # frames that known lengths count for
_FAR = 0.35  # share of its length by which a single measurement may move a bone's mean

_INCIDENCE = np.zeros((len(_LINKS), JOINT_COUNT))
_INCIDENCE[np.arange(len(_LINKS)), _STARTS] = 1.0
_INCIDENCE[np.arange(len(_LINKS)), _ENDS] = -1.0
# A joint with many links is moved by the mean of what they ask for.
_SHARE = 1 / np.abs(_INCIDENCE).sum(axis=0)[:, None]


class BoneLengths:
    """Running means of the lengths, metres.

    Args:
        known: (24,) in the order of `skeleton.LINKS`, from a calibration; None: nothing is known.
    """

    def __init__(self, known: Array | None = None) -> None:
        self.count = 0.0 if known is None else _CALIBRATED
        self.mean: Array = np.zeros(len(_LINKS)) if known is None else known.copy()

    def update(self, measured: Array, expected: Array) -> None:
        """Take in (21, 3) measured joints; ``expected`` ones give the bones' directions.

        A length is measured along the expected direction: noise across it would make it longer.
        """
        direction = expected[_ENDS] - expected[_STARTS]
        length = np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
        found = ((measured[_ENDS] - measured[_STARTS]) * direction / length).sum(axis=1)
        self.count = min(self.count + 1, _HORIZON)
        off = found - self.mean
        if self.count > 5:
            off = np.clip(off, -_FAR * self.mean, _FAR * self.mean)
        self.mean = self.mean + off / self.count

    def applied(self, joints: Array, noise: float) -> Array:
        """(21, 3) joints with bones of these lengths, the more so the longer they were measured and
        the more ``noise``, metres, the joints have: distances of joints do vary a little."""
        known = max(self.count - _FEWEST, 0.0)
        held = known / (known + _HALF_HELD) * noise**2 / (noise**2 + _NATURAL**2)
        for _ in range(_STEPS):
            bones = joints[_ENDS] - joints[_STARTS]
            length = np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-6)
            excess = held * (1 - self.mean[:, None] / length) * bones
            joints = joints + _SHARE * (_INCIDENCE.T @ excess)
        return joints
