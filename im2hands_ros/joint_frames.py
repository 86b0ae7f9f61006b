"""A frame at every joint of a hand, in which a constant offset means the same in every pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import (
    INDEX_MCP,
    JOINT_COUNT,
    MIDDLE_MCP,
    PARENTS,
    PINKY_MCP,
    TIPS,
    WRIST,
)

Array = NDArray[np.float64]

USUAL_PALM = 0.09
"""Metres from wrist to middle knuckle of the hand that offsets are given for."""

# The bone that begins at a joint; a tip has only the one that ends there.
_NEXT = np.array([j if j in TIPS else j + 1 for j in range(JOINT_COUNT)])
_BEFORE = np.array(PARENTS)
_PALM = [WRIST, 1]  # joints that are part of the palm
_THUMB = [2, 3, 4]
_LEAST = 1e-9


def joint_frames(joints: NDArray[np.floating], side: str) -> Array:
    """Orthonormal directions at every joint.

    A finger bends around the line of the knuckles, so its back is square to that; the thumb's back
    looks away from the fingers, to about ten degrees at rest. Half of a joint's bend is in its
    frame, as skin over a bent joint is.

    Args:
        joints: (21, 3) MANO order, any unit and frame.
        side: "left" or "right"; what is alike on both hands has the same coordinates.

    Returns:
        (21, 3, 3): rows are along the finger, half way between the bones that end and begin at the
        joint; out of the hand's back; and square to both, to the thumb's side of a finger. At the
        wrist along is to the middle knuckle.
    """
    xyz = np.asarray(joints, np.float64)
    sign = 1.0 if side == "right" else -1.0
    ending = _unit(xyz - xyz[_BEFORE])
    ending[WRIST] = _unit(xyz[MIDDLE_MCP] - xyz[WRIST])
    along = _unit(ending + _unit(xyz[_NEXT] - xyz[_BEFORE[_NEXT]]))
    along[_PALM] = ending[_PALM]
    across = _unit(xyz[INDEX_MCP] - xyz[PINKY_MCP])
    back = sign * np.cross(along, across)
    back[1] = back[WRIST]
    back[_THUMB] = across
    back = _unit(back - (back * along).sum(1, keepdims=True) * along)
    return np.stack([along, back, sign * np.cross(back, along)], axis=1)


def moved_joints(joints: NDArray[np.floating], side: str, offsets: Array) -> NDArray[np.float32]:
    """Joints moved by constant offsets in their frames, larger hands by more.

    Args:
        joints: (21, 3) metres, MANO order.
        side: "left" or "right".
        offsets: (21, 3) metres along the rows of `joint_frames`, of a hand whose palm is
            ``USUAL_PALM`` long.
    """
    size = palm_length(joints) / USUAL_PALM
    moves = np.einsum("jd,jdc->jc", offsets, joint_frames(joints, side))
    return (np.asarray(joints, np.float64) + size * moves).astype(np.float32)


def palm_length(joints: NDArray[np.floating]) -> float:
    """From wrist to middle knuckle, in the joints' unit."""
    return float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]))


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Array = vectors / np.maximum(length, _LEAST)
    return unit
