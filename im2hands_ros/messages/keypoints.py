"""Keypoints as trackers send them, checked: HandKeypoints of any joint order, or an array of poses.

And as they are published: HandKeypoints in MANO order. No ROS here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.bad_input import BadInput
from im2hands_ros.checks import check_hand
from im2hands_ros.messages.cdr import CdrWriter
from im2hands_ros.messages.header import HeaderFields
from im2hands_ros.skeleton import ORDER_MANO, ORDER_NAMES, ORDER_OPENXR, SIDES, to_mano_order
from im2hands_ros.unseen_joints import MOST_UNSEEN, Shares, joint_shares, zeros_as_unseen

if TYPE_CHECKING:  # read by their fields: a bag's reader makes other classes of them
    from geometry_msgs.msg import PoseArray

    from im2hands_ros.msg import HandKeypoints


_NAME_OF_ORDER = {order: name for name, order in ORDER_NAMES.items()}


@dataclass(frozen=True)
class CheckedKeypoints:
    """What a HandKeypoints message holds.

    Attributes:
        hands: "left" and "right" -> (21, 3) float32 metres, camera frame, MANO order, or None;
            joints that were not seen are NaN.
        confidence: (21,) float32 shares of the same joints, of the hands that come with some.
        problems: why a hand that the message calls valid was refused.
        frame_id: the message's frame.
        convention: where such joints lie, as `keypoint_convention` has it, by their order.
    """

    hands: dict[str, np.ndarray | None]
    problems: tuple[BadInput, ...]
    frame_id: str
    confidence: dict[str, Shares] = field(default_factory=dict)
    convention: str = _NAME_OF_ORDER[ORDER_MANO]

    @property
    def usable(self) -> bool:
        """False when every hand that was offered is refused."""
        return not self.problems or any(hand is not None for hand in self.hands.values())


def write_keypoints(
    header: HeaderFields,
    hands: Mapping[str, NDArray[np.floating] | None],
    confidence: Mapping[str, float | NDArray[np.float32] | None],
) -> bytes:
    """A serialised HandKeypoints.

    Args:
        header: stamp of the image, its optical frame.
        hands: "left" and "right" -> (21, 3) metres, camera frame, MANO order; None or missing for
            an absent hand.
        confidence: in [0, 1], of each hand, whose joints all get it, or (21,) of its joints. None:
            unknown.
    """
    given = [hands.get(side) for side in SIDES]
    joints = [np.asarray(() if xyz is None else xyz, np.float32) for xyz in given]
    cdr = CdrWriter()
    cdr.header(header)
    cdr.fields("B 2?", ORDER_MANO, *(xyz is not None for xyz in given))
    for xyz in joints:
        cdr.sequence(xyz.reshape(-1))
    for side, xyz in zip(SIDES, joints, strict=True):
        share = confidence.get(side)
        shares = () if share is None else np.broadcast_to(share, len(xyz))
        cdr.sequence(np.ascontiguousarray(shares, np.float32))
    return cdr.message


def read_keypoints(message: HandKeypoints) -> CheckedKeypoints:
    """Read keypoints; a hand that cannot be one is refused and the other one kept."""
    hands: dict[str, np.ndarray | None] = dict.fromkeys(SIDES)
    confidence: dict[str, Shares] = {}
    problems = []
    for side in SIDES:
        try:
            if getattr(message, f"{side}_valid"):
                hands[side], shares = _read_hand(message, side)
                confidence |= {} if shares is None else {side: shares}
        except BadInput as problem:
            problems.append(problem)
    name = _NAME_OF_ORDER.get(message.joint_order, _NAME_OF_ORDER[ORDER_MANO])
    return CheckedKeypoints(hands, tuple(problems), message.header.frame_id, confidence, name)


def _read_hand(
    message: HandKeypoints, side: str
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """(21, 3) joints, NaN where not seen, and their (21,) confidence, if there is one."""
    flat = np.asarray(getattr(message, f"{side}_xyz"), np.float32)
    shares = np.asarray(getattr(message, f"{side}_confidence"), np.float32)
    try:
        xyz = to_mano_order(
            flat.reshape(-1, 3) if flat.size % 3 == 0 else flat, message.joint_order
        )
    except ValueError as error:
        raise BadInput(
            "keypoints_count", f"{side}_xyz holds {flat.size} numbers: {error}"
        ) from error
    xyz = zeros_as_unseen(xyz)
    _check_confidence(shares, side, flat.size // 3)
    if not len(shares):
        check_hand(xyz, f"{side}_xyz", f"set {side}_valid to false")
        return xyz, None
    shares = np.minimum(shares, 1)
    shares = to_mano_order(np.repeat(shares[:, None], 3, axis=1), message.joint_order)[:, 0]
    xyz = np.where(shares[:, None] > 0, xyz, np.float32(np.nan))
    check_hand(xyz, f"{side}_xyz", f"set {side}_valid to false")
    return xyz, shares


_MOST_SHARE = 1.001  # what rounding makes of 1


def _check_confidence(confidence: NDArray[np.float32], side: str, count: int) -> None:
    name = f"{side}_confidence"
    if len(confidence) not in (0, count):
        raise BadInput(
            "keypoints_count",
            f"{name} holds {len(confidence)} numbers: give {count} or none",
        )
    bad = ~((confidence >= 0) & (confidence <= _MOST_SHARE))
    if bad.any():
        raise BadInput(
            "keypoints_confidence",
            f"{name} holds {confidence[bad][0]:g}: give shares in [0, 1], or none",
        )
    unseen = int((confidence == 0).sum())
    if unseen > MOST_UNSEEN * count:
        raise BadInput(
            "keypoints_unseen",
            f"{name} is 0, not seen, for {unseen} of {count} joints: set {side}_valid to false, "
            f"or leave {name} empty where it is unknown",
        )


def read_poses(message: PoseArray) -> CheckedKeypoints:
    """Read the poses of two hands, the left one's first; a block of NaN is an absent hand, a NaN in
    a block a joint that was not seen.

    21 poses a hand are in MANO's order, 26 in OpenXR's, 25 in WebXR's, which has no palm.
    """
    try:
        both = _positions(message)
    except BadInput as problem:
        return CheckedKeypoints(dict.fromkeys(SIDES), (problem,), message.header.frame_id)
    return checked_hands(
        message.header.frame_id,
        {side: None if np.isnan(xyz).all() else xyz for side, xyz in zip(SIDES, both, strict=True)},
        "fill its block with NaN",
        _ORDER_OF_POSES[len(message.poses)],
    )


def checked_hands(
    frame_id: str, hands: Mapping[str, NDArray[np.float32] | None], when_absent: str, order: int
) -> CheckedKeypoints:
    """Hands of messages without a confidence, in which NaN says that a joint was not seen.

    order: that they came in.
    """
    taken: dict[str, np.ndarray | None] = dict.fromkeys(SIDES)
    problems = []
    for side, xyz in hands.items():
        try:
            if xyz is not None:
                xyz = zeros_as_unseen(xyz)
                check_hand(xyz, f"the block of the {side} hand", when_absent)
            taken[side] = xyz
        except BadInput as problem:
            problems.append(problem)
    confidence = joint_shares(taken, None)
    name = _NAME_OF_ORDER[order]
    return CheckedKeypoints(taken, tuple(problems), frame_id, confidence, name)


_ORDER_OF_POSES = {42: ORDER_MANO, 50: ORDER_OPENXR, 52: ORDER_OPENXR}


def _positions(message: PoseArray) -> np.ndarray:
    """(2, 21, 3) float32."""
    order = _ORDER_OF_POSES.get(len(message.poses))
    if order is None:
        raise BadInput(
            "keypoints_count",
            f"{len(message.poses)} poses: give 42 in the order of HandKeypoints.ORDER_MANO, or 52 "
            "(50 without palms) in that of ORDER_OPENXR, the left hand's half first",
        )
    points = (pose.position for pose in message.poses)
    xyz = np.array([(point.x, point.y, point.z) for point in points], np.float32)
    return np.stack([to_mano_order(hand, order) for hand in np.split(xyz, 2)])
