"""Losses of the occupancy networks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.networks.compact.articulated_decoder import DEPTH_UNIT
from im2hands_ros.precision import autocast_disabled
from im2hands_ros.skeleton import SIDES
from im2hands_ros.training.batches import Batch
from im2hands_ros.training.stage import Term

# Depths beyond this many units only need the right side.
_DEPTH_REACH = 10.0


def depth_loss(logits: Tensor, depth: Tensor) -> Tensor:
    """Mean absolute error of the depth under the skin, in ``DEPTH_UNIT`` (millimetres).

    A signed depth gives a fraction of a millimetre where an inside/outside label gives one bit.

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


def shape_loss(predicted: Tensor, shape: Tensor) -> Term:
    """Mean squared error of (H, 12) shape parameters, in standard deviations; NaN is not known."""
    known = ~shape.isnan()
    error = (predicted.float() - shape)[known].square()
    return Term(error.mean(), error.numel())


def joint_targets(heat: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """What ``joint_loss`` takes, for the H hands of a batch.

    heat: (B, 42, h, w) of the batch's crops, left hands' joints first.
    """
    sides = heat.unflatten(1, (len(SIDES), -1))
    of_hand = sides[batch.image_index, (~batch.mirrored).long()]
    # Not in half precision, which would move pixels.
    with autocast_disabled(heat):
        projected = batch.true_keypoints @ batch.intrinsics.transpose(1, 2)
    crop = projected[..., :2] / projected[..., 2:].clamp_min(1e-3)
    # The middle of feature pixel 0 lies between crop pixels 1 and 2.
    pixels = (crop - 1.5) / 4
    inside = (pixels > -0.5) & (pixels < heat.shape[-1] - 0.5)
    return of_hand, pixels, inside.all(-1)


def joint_loss(heat: Tensor, pixels: Tensor, inside: Tensor) -> Tensor:
    """Cross-entropy of where joints are, against a spot of one feature pixel around the truth.

    Args:
        heat: (H, 21, h, w) logits of each hand's joints.
        pixels: (H, 21, 2) true positions in feature pixels, (x, y).
        inside: (H, 21) bool, False for joints that do not count.
    """
    height, width = heat.shape[-2:]
    x = torch.arange(width, device=heat.device) - pixels[..., :1]
    y = torch.arange(height, device=heat.device) - pixels[..., 1:]
    spot_x, spot_y = (-x.square() / 2).softmax(-1), (-y.square() / 2).softmax(-1)
    log_heat = heat.float().flatten(2).log_softmax(-1).unflatten(-1, (height, width))
    with autocast_disabled(heat):
        entropy = -torch.einsum("hjy,hjyx,hjx->hj", spot_y, log_heat, spot_x)
    return (entropy * inside).sum() / inside.sum().clamp_min(1)
