"""Joint orders: each is a permutation of the same hand."""

import numpy as np
import pytest

from im2hands_ros import skeleton


def test_bones_connect_the_wrist_to_every_tip():
    parent = {child: start for start, child in skeleton.BONES}
    assert len(parent) == 20
    for tip in skeleton.TIPS:
        chain = [tip]
        while chain[-1] in parent:
            chain.append(parent[chain[-1]])
        assert len(chain) == 5 and chain[-1] == skeleton.WRIST


def test_interhand_order_runs_from_tip_to_base_with_the_wrist_last():
    # InterHand2.6M: joint k of finger f is named tip, DIP, PIP, MCP for k = 0..3; wrist is 20.
    names = [
        f"{finger}_{joint}"
        for finger in skeleton.FINGERS
        for joint in (
            ("tip", "ip", "mcp", "cmc") if finger == "thumb" else ("tip", "dip", "pip", "mcp")
        )
    ] + ["wrist"]
    xyz = np.array([[skeleton.JOINT_NAMES.index(name)] * 3 for name in names], float)
    result = skeleton.to_mano_order(xyz, skeleton.ORDER_INTERHAND)
    assert (result[:, 0] == np.arange(21)).all()


def test_openxr_order_drops_the_palm_and_the_metacarpal_bases():
    # XR_EXT_hand_tracking: palm, wrist, 4 thumb joints, then 5 joints for each other finger.
    thumb = ["thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"]
    names = ["palm", "wrist", *thumb]
    for finger in skeleton.FINGERS[1:]:
        names += [f"{finger}_{joint}" for joint in ("metacarpal", "mcp", "pip", "dip", "tip")]
    known = skeleton.JOINT_NAMES
    xyz = np.array([[known.index(n) if n in known else -1] * 3 for n in names], float)
    result = skeleton.to_mano_order(xyz, skeleton.ORDER_OPENXR)
    assert (result[:, 0] == np.arange(21)).all()
    without_palm = skeleton.to_mano_order(xyz[1:], skeleton.ORDER_OPENXR)  # WebXR
    assert (without_palm[:, 0] == np.arange(21)).all()


def test_a_wrong_joint_count_or_order_is_named():
    with pytest.raises(ValueError, match=r"\(20, 3\).*order 0 needs \(21, 3\)"):
        skeleton.to_mano_order(np.zeros((20, 3)), skeleton.ORDER_MANO)
    with pytest.raises(ValueError, match=r"\(24, 3\).*needs \(26, 3\) or \(25, 3\)"):
        skeleton.to_mano_order(np.zeros((24, 3)), skeleton.ORDER_OPENXR)
    with pytest.raises(ValueError, match="joint order 9 is unknown"):
        skeleton.to_mano_order(np.zeros((21, 3)), 9)
