"""Measure how the joints of a hand go together: `im2hands_ros/data/joint_statistics.npz`.

Mean and covariance of the 21 joints of right hands in random poses and shapes, each laid rigidly
onto the mean; `im2hands_ros.unseen_joints` estimates from them where joints are that a tracker has
not seen. Metres.

    python tools/joint_statistics.py im2hands_ros/data/joint_statistics.npz
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from im2hands_ros.synthetic.drafts import random_shapes
from im2hands_ros.synthetic.gestures import random_poses
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.unseen_joints import laid_onto

HANDS, SEED = 4096, 11
ROUNDS = 5  # of aligning and averaging


def random_joints(count: int, seed: int) -> np.ndarray:
    """(count, 21, 3) joints of right hands in the packaged hand's rest frame."""
    hand = BakedHand.load(dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    pose = random_poses(hand, count, generator)
    shape = random_shapes(count, generator, hand.shape_dims)[0]
    return hand.rest_frame_keypoints(pose, shape).numpy()


def statistics(joints: np.ndarray) -> dict[str, np.ndarray]:
    """Mean (21, 3) and covariance (63, 63) float32, of aligned joints."""
    mean = joints[0] - joints[0].mean(0)
    for _ in range(ROUNDS):
        aligned = np.stack([laid_onto(mean, each) for each in joints])
        mean = aligned.mean(0)
    covariance = np.cov(aligned.reshape(len(aligned), -1), rowvar=False)
    return {"mean": mean.astype(np.float32), "covariance": covariance.astype(np.float32)}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    torch.set_num_threads(1)
    np.savez(parser.parse_args().out, **statistics(random_joints(HANDS, SEED)))


if __name__ == "__main__":
    main()
