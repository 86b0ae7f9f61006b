"""Losses of the occupancy networks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.networks.articulated_decoder import DEPTH_UNIT

# Depths beyond this many units only need the right side.
_DEPTH_REACH = 10.0


def depth_loss(logits: Tensor, depth: Tensor) -> Tensor:
    """Mean absolute error of the depth under the skin, in ``DEPTH_UNIT`` (millimetres).

    A signed depth says to a fraction of a millimetre what an inside/outside label says in one bit.

    Args:
        logits: (H, N) occupancy logits, one per ``DEPTH_UNIT`` of depth.
        depth: (H, N) true depth, metres, positive inside.
    """
    true = (depth / DEPTH_UNIT).clamp(-_DEPTH_REACH, _DEPTH_REACH)
    deep, far = true >= _DEPTH_REACH, true <= -_DEPTH_REACH
    predicted = torch.where(deep, logits.clamp_max(_DEPTH_REACH), logits)
    predicted = torch.where(far, predicted.clamp_min(-_DEPTH_REACH), predicted)
    return (predicted - true).abs().mean()


def occupancy_loss(logits: Tensor, depth: Tensor) -> Tensor:
    """Cross-entropy of inside and outside."""
    return F.binary_cross_entropy_with_logits(logits, (depth > 0).to(logits.dtype))


def mask_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of (B, 3, h, w) side logits and (B, h, w) none/left/right labels."""
    return F.cross_entropy(logits.float(), mask)
