"""The joints that a frame came with, and the frame that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.tracking.interfaces import EncodedScene, Joints
from im2hands_ros.tracking.joint_confidence import of_hands, trusted, weighted
from im2hands_ros.tracking.tracked_frame import TrackedFrame, TrackedHand
from im2hands_ros.unseen_joints import Shares


@dataclass(frozen=True)
class ReceivedJoints:
    """What a tracker or the detector says of the hands of a frame.

    Attributes:
        joints: (21, 3) metres, camera frame, MANO order, of the sides that are there.
        shares: (21,) confidence of the joints of each hand where it is not 1 for all of them.
    """

    joints: Mapping[str, Joints]
    shares: Mapping[str, Shares]

    def trust(self, estimate: EstimatedJoints) -> EstimatedJoints:
        """The estimate with a larger spread of the joints of little confidence."""
        return trusted(estimate, of_hands(self.shares, self.joints, estimate.joints))

    def frame(
        self,
        hands: Mapping[str, TrackedHand],
        scene: EncodedScene | None = None,
        timings_ms: dict[str, float] | None = None,
        warnings: tuple[tuple[str, str], ...] = (),
    ) -> TrackedFrame:
        """The frame with these hands, whose confidence is lowered by that of the joints."""
        seen = {side: hand.keypoints for side, hand in hands.items() if not hand.age}
        shares = of_hands(self.shares, self.joints, seen)
        found = {side: weighted(hand, shares.get(side)) for side, hand in hands.items()}
        return TrackedFrame(
            found.get("left"), found.get("right"), self.joints, scene, timings_ms or {}, warnings
        )
