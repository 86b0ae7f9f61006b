"""What the tracker gives for a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.pair import HandPair
from im2hands_ros.scene import Hands, HandSurface
from im2hands_ros.tracking.interfaces import EncodedScene, Joints


class Extent(IntEnum):
    """How far a frame is taken: each step costs more and includes those before it."""

    KEYPOINTS = 0  # refined where the refinement is switched on
    FIELD = 1
    SURFACES = 2


@dataclass(frozen=True)
class TrackedHand:
    """One hand of a frame.

    Attributes:
        keypoints: (21, 3) float32 metres, camera frame, MANO order; refined or as given.
        confidence: share in [0, 1], times the tracker's; None where nothing was evaluated.
        surface: its shape; None where the frame was not taken so far.
        age: seconds since the hand was last seen.
        joint_confidence: (21,) float32 of each joint, at most 0.1 for one that was not seen and is
            estimated; None: every joint has the hand's.
    """

    keypoints: Joints
    confidence: float | None
    surface: HandSurface | None = None
    age: float = 0.0
    joint_confidence: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TrackedFrame(HandPair[TrackedHand]):
    """Both hands of a frame; None: no such hand, or no surface of it was found.

    Attributes:
        given: the joints that came in, or the detector's, per present side.
        scene: the occupancy field, to be evaluated anywhere; None: not encoded.
        timings_ms: milliseconds by stage.
        warnings: kind and text of what the user should know.
    """

    given: Mapping[str, Joints] = field(default_factory=dict)
    scene: EncodedScene | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def surfaces(self) -> Hands:
        """The shapes alone."""
        found = {side: hand.surface for side, hand in self.present.items()}
        return Hands(**found, timings_ms=self.timings_ms)
