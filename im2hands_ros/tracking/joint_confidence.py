"""How far a tracker's joints are to be trusted: unseen ones, and the confidence that it gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from im2hands_ros.skeleton import JOINT_NAMES, SIDES
from im2hands_ros.tracking.interfaces import Joints
from im2hands_ros.tracking.tracked_frame import TrackedHand
from im2hands_ros.unseen_joints import Shares, seen_joints

# Of a joint that was not seen and is estimated: not 0, because there is an estimate.
_ESTIMATED = 0.1
_MOST_NAMED = 4


def undeclared(
    keypoints: Mapping[str, Joints | None], confidence: Mapping[str, Shares | None] | None
) -> Iterator[tuple[str, str]]:
    """Kind and text where joints are NaN that no confidence of 0 says to be unseen."""
    for side, xyz in keypoints.items():
        given = (confidence or {}).get(side)
        if xyz is None:
            continue
        bad = ~seen_joints(np.asarray(xyz)) & (given is None or np.asarray(given) > 0)
        if bad.any():
            names = [JOINT_NAMES[joint] for joint in np.flatnonzero(bad)]
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            yield (
                "unseen_joints",
                f"{', '.join(names[:_MOST_NAMED])}{more} of the {side} hand are NaN or infinite "
                "and estimated from its other joints: give joints that are not seen the "
                "confidence 0",
            )


def swapped_sides(shares: Mapping[str, Shares], swapped: bool) -> dict[str, Shares]:
    """The confidence by the sides on which the hands really are."""
    if not swapped:
        return dict(shares)
    return {
        other: shares[side]
        for side, other in zip(SIDES, SIDES[::-1], strict=True)
        if side in shares
    }


def weighted(hand: TrackedHand, shares: Shares | None) -> TrackedHand:
    """The hand with its confidence lowered by the tracker's, per joint and in the mean."""
    if shares is None:
        return hand
    known = 1.0 if hand.confidence is None else hand.confidence
    joints = (known * np.where(shares > 0, shares, _ESTIMATED)).astype(np.float32)
    mean, surface = float(joints.mean()), hand.surface
    if surface is not None:
        surface = replace(surface, confidence=mean)
    return replace(hand, confidence=mean, joint_confidence=joints, surface=surface)
