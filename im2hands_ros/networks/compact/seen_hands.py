"""Landmarks of the hands that a tracker reports, as the keypoint refinement takes them."""

from __future__ import annotations

import numpy as np
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks
from im2hands_ros.networks.compact.landmark_encoder import see_conditioned
from im2hands_ros.networks.compact.landmark_fusion import SeenHands
from im2hands_ros.pair import KeypointPair
from im2hands_ros.skeleton import JOINT_COUNT, SIDES, WRIST


def see_hands(
    network: ConditionedLandmarks, image: np.ndarray, camera: Camera, joints: KeypointPair
) -> SeenHands:
    """What is seen of one frame's hands, B = 1, on the network's device.

    Args:
        image: (H, W, 3) uint8 RGB of the camera. joints: metres, camera frame.
    """
    rays = np.zeros((len(SIDES), JOINT_COUNT, 2))
    relief, spread = np.zeros(rays.shape[:2]), np.ones(rays.shape[:2])
    presence, own_side = np.zeros(len(SIDES)), np.full(len(SIDES), 0.5)
    pixels = {side: camera.project(each) for side, each in joints.present.items()}
    pixels = {side: each for side, each in pixels.items() if np.isfinite(each).all()}
    for side, seen in (see_conditioned(network, image, pixels) if pixels else {}).items():
        slot = SIDES.index(side)
        undistorted = camera.back_project(seen.pixels, np.ones(JOINT_COUNT))[:, :2]
        if seen.spread is None or not np.isfinite(undistorted).all():
            continue  # seen where the lens model has no inverse
        rays[slot], presence[slot] = undistorted, seen.presence
        relief[slot] = (seen.relief - seen.relief[WRIST]) / camera.fx
        spread[slot] = seen.spread / camera.fx
        own_side[slot] = seen.right if side == "right" else 1 - seen.right
    arrays = (rays, relief, spread, presence, own_side)
    device = network.spread.weight.device
    return SeenHands(*(torch.tensor(a[None], dtype=torch.float32, device=device) for a in arrays))
