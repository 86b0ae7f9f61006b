"""Keypoints as trackers send them, checked: HandKeypoints of any joint order, or 42 poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from im2hands_ros.messages.errors import BadInput
from im2hands_ros.skeleton import JOINT_COUNT, SIDES, to_mano_order

if TYPE_CHECKING:  # read by their fields: a bag's reader makes other classes of them
    from geometry_msgs.msg import PoseArray

    from im2hands_ros.msg import HandKeypoints

# What 21 points must be like to be a hand in front of a camera, metres.
_FARTHEST, _NEAREST_DEPTH = 10.0, 0.01
_SMALLEST_HAND, _LARGEST_HAND = 0.03, 0.5


@dataclass(frozen=True)
class Keypoints:
    """What a HandKeypoints message holds.

    Attributes:
        hands: "left" and "right" -> (21, 3) float32 metres, camera frame, MANO order, or None.
        problems: why a hand that the message calls valid was refused.
        frame_id: the message's frame.
    """

    hands: dict[str, np.ndarray | None]
    problems: tuple[BadInput, ...]
    frame_id: str

    @property
    def usable(self) -> bool:
        """False when every hand that was offered is refused."""
        return not self.problems or any(hand is not None for hand in self.hands.values())


def read_keypoints(message: HandKeypoints) -> Keypoints:
    """Read keypoints; a hand that cannot be one is refused and the other one kept."""
    hands: dict[str, np.ndarray | None] = {}
    problems = []
    for side in SIDES:
        try:
            hands[side] = _read_hand(message, side)
        except BadInput as problem:
            hands[side] = None
            problems.append(problem)
    return Keypoints(hands, tuple(problems), message.header.frame_id)


def _read_hand(message: HandKeypoints, side: str) -> np.ndarray | None:
    if not getattr(message, f"{side}_valid"):
        return None
    flat = np.asarray(getattr(message, f"{side}_xyz"), np.float32)
    confidence = getattr(message, f"{side}_confidence")
    try:
        xyz = to_mano_order(
            flat.reshape(-1, 3) if flat.size % 3 == 0 else flat, message.joint_order
        )
    except ValueError as error:
        raise BadInput(
            "keypoints_count", f"{side}_xyz holds {flat.size} numbers: {error}"
        ) from error
    if len(confidence) not in (0, flat.size // 3):
        raise BadInput(
            "keypoints_count",
            f"{side}_confidence holds {len(confidence)} numbers: give {flat.size // 3} or none",
        )
    _check_hand(xyz, f"{side}_xyz", f"set {side}_valid to false")
    return xyz


def read_poses(message: PoseArray) -> Keypoints:
    """Read 42 poses, the left hand's 21 first; a block that is all NaN is an absent hand."""
    try:
        both = _positions(message)
    except BadInput as problem:
        return Keypoints(dict.fromkeys(SIDES), (problem,), message.header.frame_id)
    hands: dict[str, np.ndarray | None] = {}
    problems = []
    for side, xyz in zip(SIDES, both, strict=True):
        absent = bool(np.isnan(xyz).all())
        try:
            if not absent:
                _check_hand(xyz, f"the block of the {side} hand", "fill its block with NaN")
            hands[side] = None if absent else xyz
        except BadInput as problem:
            hands[side] = None
            problems.append(problem)
    return Keypoints(hands, tuple(problems), message.header.frame_id)


def _positions(message: PoseArray) -> np.ndarray:
    """(2, 21, 3) float32."""
    count = 2 * JOINT_COUNT
    if len(message.poses) != count:
        raise BadInput(
            "keypoints_count",
            f"{len(message.poses)} poses: give {count}, the left hand's {JOINT_COUNT} first, "
            "in the order of HandKeypoints.ORDER_MANO",
        )
    points = (pose.position for pose in message.poses)
    xyz = np.array([(point.x, point.y, point.z) for point in points], np.float32)
    return xyz.reshape(2, JOINT_COUNT, 3)


def _check_hand(xyz: np.ndarray, name: str, when_absent: str) -> None:
    """Refuse what would only waste the device's time; raises BadInput."""
    if not np.isfinite(xyz).all():
        bad = int((~np.isfinite(xyz).all(axis=1)).sum())
        raise BadInput(
            "keypoints_not_finite",
            f"{bad} keypoints of {name} are NaN or infinite: {when_absent} "
            "when the hand is not tracked",
        )
    farthest, nearest = float(np.abs(xyz).max()), float(xyz[:, 2].min())
    if farthest > _FARTHEST:
        raise BadInput(
            "keypoints_range", f"{name} reaches {farthest:.4g} m: give metres, not millimetres"
        )
    if nearest < _NEAREST_DEPTH:
        raise BadInput(
            "keypoints_range",
            f"{name} has depth {nearest:.3f} m: give points in the camera's optical frame "
            "(z forward)",
        )
    size = float(np.linalg.norm(np.ptp(xyz, axis=0)))
    if not _SMALLEST_HAND < size < _LARGEST_HAND:
        raise BadInput(
            "keypoints_size",
            f"{name} is {size:.3f} m across: give a hand's 21 joints in metres",
        )
