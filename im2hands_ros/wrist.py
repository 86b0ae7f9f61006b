"""The pose of a wrist, from the keypoints of its hand. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, PINKY_MCP, WRIST

_SMALLEST_AREA = 1e-5  # m²; a palm of less area has no normal
_SMALLEST_LENGTH = 1e-3  # m


def wrist_rotation(xyz: NDArray[np.floating], side: str) -> NDArray[np.float64] | None:
    """Axes of a wrist: x to the middle finger's MCP, z out of the back of the hand.

    y completes a right-handed frame: to the thumb on a right hand, to the little finger on a left
    one. (Mirror images cannot share all three axes of right-handed frames; these share x and z.)

    Args:
        xyz: (21, 3) keypoints in MANO order, metres.
        side: "left" or "right".

    Returns:
        (3, 3) camera_from_wrist, axes in its columns, in the keypoints' frame; None when the
        palm's joints lie on a line.
    """
    index, middle, pinky = (
        np.asarray(xyz[joint] - xyz[WRIST], np.float64)
        for joint in (INDEX_MCP, MIDDLE_MCP, PINKY_MCP)
    )
    back = _cross(pinky, index) if side == "right" else _cross(index, pinky)
    length = np.linalg.norm(middle)
    if length < _SMALLEST_LENGTH or np.linalg.norm(back) < _SMALLEST_AREA:
        return None
    x = middle / length
    z = back - (back @ x) * x
    z /= np.linalg.norm(z)
    return np.stack([x, _cross(z, x), z], axis=1)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """np.cross of two vectors, to the bit, without what it spends on shapes."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def quaternion(
    rotation: NDArray[np.float64], near: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """A rotation as a unit quaternion (x, y, z, w).

    Args:
        rotation: (3, 3), proper.
        near: of q and -q, which are the same rotation, the one nearer to this is returned, so
            that a stream does not jump; without it the one with w >= 0.
    """
    # The largest of the four squares is well away from zero (Shepperd 1978).
    trace = np.trace(rotation)
    squares = np.array([*(1 + 2 * np.diag(rotation) - trace), 1 + trace])
    best = int(np.argmax(squares))
    m = rotation
    sums = np.array(
        [
            [squares[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], squares[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squares[2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]],
        ]
    )
    q = sums[best] / np.linalg.norm(sums[best])
    reference = np.array([0.0, 0.0, 0.0, 1.0]) if near is None else near
    return -q if q @ reference < 0 else q
