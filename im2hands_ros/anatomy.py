"""What 21 joints must be like to be a hand: proportions and chirality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import (
    BONES,
    INDEX_MCP,
    MIDDLE_MCP,
    PINKY_MCP,
    WRIST,
)

Joints = NDArray[np.floating]

PALM_LENGTHS = (0.05, 0.14)
"""Metres from wrist to middle knuckle, of children and of the tallest."""

# Length of each bone of `BONES`, millimetres: medians of 1024 poses of the synthetic hand.
_BONE_LENGTHS_MM = np.array(
    [37, 31, 36, 25, 99, 24, 22, 24, 93, 31, 27, 23, 90, 27, 23, 23, 87, 19, 15, 18], np.float64
)
# By tools/fit_handedness.py, of the joints that are not in the palm's plane, thumb to pinky.
HEIGHT_WEIGHTS = np.array(
    [-1.3, 2.6, 3.8, 5.5, -2.5, 0.1, 0.5, -4.2, -1.9, 0.9, 0.7, -3.0, -0.8, 1.4, 0.6, 2.0, 3.1, 2.8]
)
_OFF_PALM = [joint for joint in range(21) if joint not in (WRIST, INDEX_MCP, PINKY_MCP)]
_HIGHEST = 1.2  # palm lengths; beyond it nothing more is learned


def palm_length(xyz: Joints) -> float:
    """Distance of wrist and middle knuckle of (21, 3) joints in MANO order, in their unit."""
    return float(np.linalg.norm(xyz[MIDDLE_MCP] - xyz[WRIST]))


def mean_bone_length(xyz: Joints) -> float:
    """Mean length of the 20 bones of (21, 3) joints in MANO order, in their unit."""
    parents, children = np.array(BONES).T
    return float(np.linalg.norm(xyz[children] - xyz[parents], axis=1).mean())


def handedness(xyz: Joints) -> float:
    """Logarithm of the odds that (21, 3) joints in MANO order are of a right hand, not of a left.

    Fingers bend towards the palm, the thumb lies before it and the palm is hollow; 0 says nothing.
    """
    return float(palm_heights(xyz) @ HEIGHT_WEIGHTS)


def palm_heights(xyz: Joints) -> NDArray[np.float64]:
    """(18,) how far joints lie from the plane of wrist, index and pinky knuckle, in palm lengths,
    positive on a right hand's inside; those three left out."""
    along, across = xyz[INDEX_MCP] - xyz[WRIST], xyz[PINKY_MCP] - xyz[WRIST]
    normal = np.cross(along, across).astype(np.float64)
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    heights = (xyz[_OFF_PALM] - xyz[WRIST]) @ normal
    return np.clip(heights / max(palm_length(xyz), 1e-9), -_HIGHEST, _HIGHEST)


def disproportion(xyz: Joints) -> float:
    """Root mean square of the logarithms of bone lengths over usual ones, size left aside."""
    parents, children = np.array(BONES).T
    lengths = np.linalg.norm(xyz[children] - xyz[parents], axis=1)
    ratios = np.log(np.maximum(lengths, 0.02 * lengths.max() + 1e-9) / _BONE_LENGTHS_MM)
    ratios -= np.median(ratios)
    return float(np.sqrt((np.clip(ratios, -2, 2) ** 2).mean()))
