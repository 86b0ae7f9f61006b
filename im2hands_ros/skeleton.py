"""The 21 joints of a hand: names, bones, joint orders and conversions between them."""

from __future__ import annotations

import numpy as np

SIDES = ("left", "right")
SIDE_COLOURS = {"left": (0.36, 0.62, 0.95), "right": (0.96, 0.62, 0.36)}  # display RGB, 0 to 1
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

JOINT_NAMES = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *("index_mcp", "index_pip", "index_dip", "index_tip"),
    *("middle_mcp", "middle_pip", "middle_dip", "middle_tip"),
    *("ring_mcp", "ring_pip", "ring_dip", "ring_tip"),
    *("pinky_mcp", "pinky_pip", "pinky_dip", "pinky_tip"),
)
JOINT_COUNT = len(JOINT_NAMES)

WRIST, INDEX_MCP, MIDDLE_MCP, RING_MCP, PINKY_MCP = 0, 5, 9, 13, 17
TIPS = (4, 8, 12, 16, 20)

# (parent, child) in MANO order; bone i ends at joint i + 1.
BONES = tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, JOINT_COUNT))
# The joint before each joint; the wrist's is itself.
PARENTS = (0, *(parent for parent, _ in BONES))

# Pairs of joints whose distance is a person's and hardly changes: bones, then neighbouring knuckles
# and the palm's width.
LINKS = (*BONES, (5, 9), (9, 13), (13, 17), (5, 17))

# Values of HandKeypoints.joint_order.
ORDER_MANO, ORDER_INTERHAND, ORDER_OPENXR = 0, 1, 2

# Source index of each MANO-order joint. InterHand2.6M lists each finger tip to base, wrist last;
# OpenXR lists 26 joints: palm, wrist, then per finger metacarpal to tip (the thumb has no
# intermediate bone, the other fingers' metacarpal bases have no counterpart here). WebXR lists the
# same joints without the palm.
_SOURCE_INDEX = {
    ORDER_MANO: tuple(range(JOINT_COUNT)),
    ORDER_INTERHAND: (20, *(4 * finger + 3 - level for finger in range(5) for level in range(4))),
    ORDER_OPENXR: (
        1,
        *(2, 3, 4, 5),
        *(7, 8, 9, 10),
        *(12, 13, 14, 15),
        *(17, 18, 19, 20),
        *(22, 23, 24, 25),
    ),
}
# Joints listed -> how many of OpenXR's first joints are missing.
_SOURCE_COUNTS = {
    ORDER_MANO: {JOINT_COUNT: 0},
    ORDER_INTERHAND: {JOINT_COUNT: 0},
    ORDER_OPENXR: {26: 0, 25: 1},
}
ORDER_NAMES = {"mano": ORDER_MANO, "interhand": ORDER_INTERHAND, "openxr": ORDER_OPENXR}


def to_mano_order(xyz: np.ndarray, order: int) -> np.ndarray:
    """Reorder the joints of one hand to MANO order.

    Args:
        xyz: (21, 3) joints; for ``ORDER_OPENXR`` (26, 3), or (25, 3) without the palm as in WebXR;
            any unit and frame.
        order: one of ``ORDER_MANO``, ``ORDER_INTERHAND``, ``ORDER_OPENXR``.

    Returns:
        (21, 3) array in the order of ``JOINT_NAMES``.

    Raises:
        ValueError: unknown order, or a joint count that does not belong to it.
    """
    if order not in _SOURCE_INDEX:
        known = ", ".join(f"{number} ({name})" for name, number in ORDER_NAMES.items())
        raise ValueError(f"joint order {order} is unknown: use {known}")
    xyz = np.asarray(xyz)
    counts = _SOURCE_COUNTS[order]
    if xyz.ndim != 2 or xyz.shape[1] != 3 or len(xyz) not in counts:
        expected = " or ".join(f"({count}, 3)" for count in counts)
        raise ValueError(f"keypoints have shape {xyz.shape}: order {order} needs {expected}")
    return xyz[np.array(_SOURCE_INDEX[order]) - counts[len(xyz)]]
