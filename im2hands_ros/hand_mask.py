"""Whether the image shows hands where their joints are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.camera import Camera
from im2hands_ros.networks.protocol import EncodedFrame, EstimatedJoints, HandNetworks
from im2hands_ros.pair import HandPair


def hand_confidence(
    networks: HandNetworks[Any, Any], frame: EncodedFrame[Any], estimate: EstimatedJoints
) -> HandPair[float]:
    """Per hand, the mean probability that the image shows a hand at its joints, times the
    confidence of their estimate."""
    joints, confidence = estimate.joints.present, estimate.confidence.present
    mask = networks.hand_mask_probability(frame)
    pixels = np.stack([frame.camera.project(hand) for hand in joints.values()])
    means = mask_at(pixels, mask, frame.camera).mean(-1).tolist()
    return HandPair(
        **{side: mean * confidence[side] for side, mean in zip(joints, means, strict=True)}
    )


def mask_at(pixels: NDArray[np.floating], mask: Tensor, camera: Camera) -> Tensor:
    """(H, N) float32 probability that a crop shows a hand at pixels.

    pixels: (H, N, 2) of the crop. mask: (1, s, s) probability over it. camera: the crop's.
    """
    grid = torch.as_tensor((2 * pixels + 1) / camera.width - 1, dtype=torch.float32)
    sampled = F.grid_sample(mask.float()[:, None], grid[None].to(mask.device), align_corners=False)
    return sampled[0, 0]
