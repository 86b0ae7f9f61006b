"""What the tracker gives for a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from im2hands_ros.scene import Hands, HandSurface
from im2hands_ros.skeleton import SIDES
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
        confidence: share in [0, 1]; None where nothing was evaluated.
        surface: its shape; None where none was asked for.
        age: seconds since the hand was last seen.
    """

    keypoints: Joints
    confidence: float | None
    surface: HandSurface | None = None
    age: float = 0.0


@dataclass(frozen=True)
class TrackedFrame:
    """Both hands of a frame.

    Attributes:
        left, right: None: no such hand, or no surface of it was found.
        given: the joints that came in, or the detector's, per present side.
        scene: the occupancy field, to be evaluated anywhere; None: not encoded.
        timings_ms: milliseconds by stage.
        warnings: kind and text of what the user should know.
    """

    left: TrackedHand | None = None
    right: TrackedHand | None = None
    given: Mapping[str, Joints] = field(default_factory=dict)
    scene: EncodedScene | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, side: str) -> TrackedHand | None:
        """The hand of a side, ``left`` or ``right``."""
        return {"left": self.left, "right": self.right}[side]

    def present(self) -> Iterator[tuple[str, TrackedHand]]:
        """Side and hand of those that are there, left first."""
        for side in SIDES:
            hand = self[side]
            if hand is not None:
                yield side, hand

    @property
    def surfaces(self) -> Hands:
        """The shapes alone."""
        found = {side: hand.surface for side, hand in self.present()}
        return Hands(found.get("left"), found.get("right"), self.timings_ms)
