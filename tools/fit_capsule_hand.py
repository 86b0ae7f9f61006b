"""Fit the radii of the capsule baseline to labelled points of training samples; prints them.

Run: python tools/fit_capsule_hand.py. Takes about two minutes on one core. The result is pasted
into im2hands_ros/evaluation/baselines/capsule_hand.py.
"""

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from im2hands_ros.evaluation.baselines.capsule_hand import (
    JOINT_RADII,
    PALM_THICKNESS,
    SOFTNESS,
    CapsuleHand,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.dataset import make_samples

SAMPLES, STEPS, BATCH = 128, 500, 12
FIRST_SAMPLE = 5_000_000


def main() -> None:
    """Draw the samples, fit, print."""
    hands = [
        (sample.keypoints[side], torch.tensor(sample.points[side]), sample.occupancy[side])
        for sample in make_samples("train", FIRST_SAMPLE, SAMPLES)
        for side in SIDES
        if sample.keypoints[side] is not None
    ]
    radii = torch.tensor(JOINT_RADII, requires_grad=True)
    thickness = torch.tensor(PALM_THICKNESS, requires_grad=True)
    optimiser = torch.optim.Adam([radii, thickness], lr=0.006)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    random = np.random.default_rng(0)
    for _ in tqdm(range(STEPS)):
        losses = []
        for chosen in random.choice(len(hands), BATCH, replace=False):
            keypoints, points, occupied = hands[chosen]
            depth = CapsuleHand(keypoints, radii, thickness).depth(points)
            target = torch.tensor(occupied, dtype=torch.float32)
            losses.append(binary_cross_entropy_with_logits(depth / SOFTNESS, target))
        optimiser.zero_grad()
        torch.stack(losses).mean().backward()
        optimiser.step()
        schedule.step()
    for name, values in (("JOINT_RADII", radii), ("PALM_THICKNESS", thickness)):
        print(name, "=", tuple(round(float(value), 3) for value in values))


if __name__ == "__main__":
    main()
