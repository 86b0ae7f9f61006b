"""What 21 joints must be like to be a hand: proportions, chirality, and which order they are in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import (
    BONES,
    INDEX_MCP,
    MIDDLE_MCP,
    ORDER_INTERHAND,
    ORDER_MANO,
    PINKY_MCP,
    RING_MCP,
    WRIST,
    to_mano_order,
)

Joints = NDArray[np.floating]

# Length of each bone of `BONES`, millimetres: medians of 1024 poses of the synthetic hand.
_BONE_LENGTHS_MM = np.array(
    [37, 31, 36, 25, 99, 24, 22, 24, 93, 31, 27, 23, 90, 27, 23, 23, 87, 19, 15, 18], np.float64
)
# Measured on those poses: a right order scores 0.0 to 0.4 with 4 mm of noise, a wrong one 0.4 to
# 0.9, so an order is called wrong only when another one is far better.
_UNLIKELY, _FAR_BETTER = 0.38, 0.6
# Fingers bend towards the palm. Beyond this share of their length no pose is of the other hand.
_BENT = 0.3

# Orders of MANO's own model files (index, middle, pinky, ring, thumb; tips last), by which a
# MANO-order joint is found.
_MANO_FILE_INDEX = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)


def palm_length(xyz: Joints) -> float:
    """Distance of wrist and middle knuckle of (21, 3) joints in MANO order, in their unit."""
    return float(np.linalg.norm(xyz[MIDDLE_MCP] - xyz[WRIST]))


def other_order(xyz: Joints) -> str:
    """The joint order that fits (21, 3) joints far better than MANO's; empty when none does."""
    given = disproportion(xyz)
    if given < _UNLIKELY:
        return ""
    orders = {
        "InterHand (joint_order ORDER_INTERHAND)": to_mano_order(xyz, ORDER_INTERHAND),
        "MANO sent as InterHand (joint_order ORDER_MANO)": _as_interhand(xyz),
        "that of MANO's model files (index, middle, pinky, ring, thumb, then the tips)": xyz[
            list(_MANO_FILE_INDEX)
        ],
    }
    scores = {name: disproportion(joints) for name, joints in orders.items()}
    best = min(scores, key=scores.__getitem__)
    return best if scores[best] < _FAR_BETTER * given else ""


def chirality(xyz: Joints) -> str:
    """The side whose fingers bend as these (21, 3) joints do; empty for hands that are too flat."""
    normal = np.cross(xyz[INDEX_MCP] - xyz[WRIST], xyz[PINKY_MCP] - xyz[WRIST])
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    bends = []
    for knuckle in (INDEX_MCP, MIDDLE_MCP, RING_MCP, PINKY_MCP):
        finger = xyz[knuckle : knuckle + 4]
        length = float(np.linalg.norm(np.diff(finger, axis=0), axis=1).sum())
        bends.append((finger[3] - finger[0]) @ normal / max(length, 1e-9))
    bend = float(np.mean(bends))
    if abs(bend) < _BENT:
        return ""
    return "right" if bend > 0 else "left"


def _as_interhand(xyz: Joints) -> Joints:
    """Undo a conversion from InterHand order that was made of joints in MANO order."""
    source = np.empty_like(xyz)
    positions = to_mano_order(np.arange(21 * 3).reshape(21, 3), ORDER_INTERHAND)[:, 0] // 3
    source[positions] = to_mano_order(xyz, ORDER_MANO)
    return source


def disproportion(xyz: Joints) -> float:
    """Root mean square of the logarithms of bone lengths over usual ones, size left aside."""
    parents, children = np.array(BONES).T
    lengths = np.linalg.norm(xyz[children] - xyz[parents], axis=1)
    ratios = np.log(np.maximum(lengths, 0.02 * lengths.max() + 1e-9) / _BONE_LENGTHS_MM)
    ratios -= np.median(ratios)
    return float(np.sqrt((np.clip(ratios, -2, 2) ** 2).mean()))
