"""Finger poses for a robot hand: dex-retargeting's input from the topic `refined_keypoints`.

    im2hands replay BAG -o hands.mcap
    python examples/retarget.py hands.mcap --hand right
    python examples/retarget.py hands.mcap --config shadow_hand_right.yml --urdf-dir URDFS

Without --config it prints where the fingertips are, as dex-retargeting wants them: of 21 joints,
the wrist at the origin, in MANO's hand frame. With it (pip install dex-retargeting) it prints the
robot's joint angles. In a live program, call `joints_for_retargeting` in the topic's callback.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from im2hands_ros.bags.reader import BagReader
from im2hands_ros.messages.keypoints import read_keypoints
from im2hands_ros.skeleton import JOINT_NAMES, TIPS, WRIST
from im2hands_ros.wrist import wrist_rotation

# dex-retargeting's detector goes to MANO's frame by an "operator" frame and OPERATOR2MANO_LEFT or
# _RIGHT. From the frame of the topics left/wrist_pose and right/wrist_pose (x to the middle
# knuckle, z out of the back) it is one turn for both hands: x out of the palm, z to that knuckle.
MANO_FROM_WRIST = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]], np.float64)


def joints_for_retargeting(xyz: np.ndarray, side: str) -> np.ndarray | None:
    """(21, 3) joints in MANO's hand frame, metres, the wrist at the origin.

    Args:
        xyz: (21, 3) keypoints in MANO order, metres, camera frame.
        side: "left" or "right".

    Returns:
        None when the palm's joints lie on a line, which has no frame.
    """
    camera_from_wrist = wrist_rotation(xyz, side)
    if camera_from_wrist is None:
        return None
    return (xyz - xyz[WRIST]) @ camera_from_wrist @ MANO_FROM_WRIST.T


def reference_value(joints: np.ndarray, optimizer: Any) -> np.ndarray:
    """Input of `SeqRetargeting.retarget`: positions, or differences, of the configured joints."""
    indices = optimizer.target_link_human_indices
    if optimizer.retargeting_type == "POSITION":
        return joints[indices]
    origins, tasks = indices
    return joints[tasks] - joints[origins]


def joints_in_bag(bag: Path, side: str) -> Iterator[tuple[float, np.ndarray]]:
    """(stamp in seconds, joints) of each message that has this hand."""
    with BagReader(bag) as reader:
        for received in reader.messages("/refined_keypoints"):
            xyz = read_keypoints(received.message).hands[side]
            joints = None if xyz is None else joints_for_retargeting(xyz, side)
            if joints is not None:
                yield received.stamp_ns / 1e9, joints


def main() -> None:
    """Print the fingertips, or the robot's joint angles, of each frame."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bag", type=Path, help="bag with refined_keypoints")
    parser.add_argument("--hand", choices=("left", "right"), default="right")
    parser.add_argument("--config", type=Path, help="a dex-retargeting configuration")
    parser.add_argument("--urdf-dir", type=Path, help="where its robot's URDF lies")
    args = parser.parse_args()
    retargeting = build(args.config, args.urdf_dir) if args.config else None
    for seconds, joints in joints_in_bag(args.bag, args.hand):
        if retargeting is None:
            tips = (f"{JOINT_NAMES[tip]} {np.round(1e3 * joints[tip]).astype(int)}" for tip in TIPS)
            print(f"{seconds:.3f} s, mm: " + ", ".join(tips))
        else:
            angles = retargeting.retarget(reference_value(joints, retargeting.optimizer))
            print(f"{seconds:.3f} s, rad: {np.round(angles, 3).tolist()}")


def build(config: Path, urdf_dir: Path | None) -> Any:
    """dex-retargeting's solver for a robot hand."""
    from dex_retargeting.retargeting_config import RetargetingConfig

    if urdf_dir is not None:
        RetargetingConfig.set_default_urdf_dir(str(urdf_dir))
    return RetargetingConfig.load_from_file(str(config)).build()


if __name__ == "__main__":
    main()
