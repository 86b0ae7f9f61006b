"""A tracker's joints moved to where the networks have them: by its convention, or a calibration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.keypoint_convention import chosen_convention, in_own_convention
from im2hands_ros.tracking.settings import FrameSettings

Joints = NDArray[np.float32]  # (21, 3) metres, camera frame, MANO order
Warnings = tuple[tuple[str, str], ...]  # kind and text


class OwnJoints:
    """Moves the joints of a stream.

    Args:
        settings: of the stream; ``calibration`` is read once.

    Raises:
        FileNotFoundError, ValueError: a calibration that cannot be read.
    """

    def __init__(self, settings: FrameSettings) -> None:
        self._calibration = settings.read_calibration()
        self._frames = 0

    @property
    def lengths(self) -> NDArray[np.float64] | None:
        """(24,) metres of the person's bones, in the order of `skeleton.LINKS`; None: unknown."""
        return self._calibration.lengths if self._calibration else None

    def __call__(
        self, hands: Mapping[str, Joints], given: str, settings: FrameSettings
    ) -> tuple[dict[str, Joints], Warnings]:
        """The joints in the package's own convention, and what of a calibration does not fit.

        Args:
            hands: by side (21, 3) metres, MANO order.
            given: the convention that follows from their order or their origin.
            settings: of the moment; their ``keypoint_convention`` overrules that.
        """
        name = chosen_convention(settings.keypoint_convention, given)
        calibration = self._calibration
        if calibration is None:
            return in_own_convention(hands, name), ()
        warnings: Warnings = ()
        self._frames += 1
        if self._frames == 1 and (text := calibration.missing_side()):
            warnings += (("calibration_side", text),)
        if text := calibration.other_tracker(name):
            warnings += (("calibration_tracker", text),)
        if name != calibration.convention:
            return in_own_convention(hands, name), warnings
        return {side: calibration.own_joints(xyz, side) for side, xyz in hands.items()}, warnings
