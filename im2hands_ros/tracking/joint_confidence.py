"""How far a tracker's joints are to be trusted: unseen ones, and the confidence that it gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.skeleton import JOINT_COUNT, JOINT_NAMES
from im2hands_ros.tracking.interfaces import Joints
from im2hands_ros.tracking.tracked_frame import TrackedHand
from im2hands_ros.unseen_joints import Shares, seen_joints

# Of a joint that was not seen and is estimated: not 0, because there is an estimate.
_ESTIMATED = 0.1
_USUAL_SPREAD = 0.005  # metres, of joints that no network has refined
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
                f"{', '.join(names[:_MOST_NAMED])}{more} of the {side} hand are NaN, infinite "
                "or zero and estimated from its other joints: give joints that are not seen the "
                "confidence 0",
            )


def of_hands(
    shares: Mapping[str, Shares],
    given: Mapping[str, Joints],
    hands: Mapping[str, Joints | None],
) -> dict[str, Shares]:
    """The confidence of hands that may since have been found to be of the other side.

    Args:
        shares: by the sides that the tracker gave.
        given: (21, 3) by the same sides.
        hands: (21, 3) by the sides that they are taken for now; a hand has those of the nearest.
    """
    nearest = {
        side: min(given, key=lambda each: float(np.abs(given[each] - xyz).sum()))
        for side, xyz in hands.items()
        if xyz is not None and shares and given
    }
    return {side: shares[from_side] for side, from_side in nearest.items() if from_side in shares}


def trusted(estimate: EstimatedJoints, shares: Mapping[str, Shares]) -> EstimatedJoints:
    """The estimate with a larger spread of the joints of little confidence."""
    if not shares:
        return estimate
    spread = dict(estimate.spread.present)
    for side, each in shares.items():
        known = spread.get(side, np.full(JOINT_COUNT, _USUAL_SPREAD, np.float32))
        spread[side] = (known / np.maximum(each, _ESTIMATED)).astype(np.float32)
    return replace(estimate, spread=HandPair(**spread))


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
