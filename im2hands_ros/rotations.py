"""Vectors, angles and rotations along the last axes of tensors, with gradients everywhere."""

from __future__ import annotations

import torch
from torch import Tensor


def norm(vector: Tensor) -> Tensor:
    """Length along the last axis, kept; its gradient at zero is zero instead of NaN."""
    squared = (vector**2).sum(-1, keepdim=True)
    positive = squared > 0
    root = torch.where(positive, squared, torch.ones_like(squared)).sqrt()
    return torch.where(positive, root, torch.zeros_like(root))


def unit(vector: Tensor, eps: float = 1e-8) -> Tensor:
    """(..., 3) of length one; shorter ones than ``eps`` stay shorter."""
    return vector / norm(vector).clamp_min(eps)


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """(..., 3, 3) matrices to (..., 3) vectors."""
    return (matrix @ vector[..., None])[..., 0]


def angle(a: Tensor, b: Tensor) -> Tensor:
    """(...) radians between (..., 3) vectors, accurate near 0 and pi (Kahan)."""
    a, b = unit(a), unit(b)
    opening, closing = norm(a - b)[..., 0], norm(a + b)[..., 0]
    # atan2(0, 0) has no gradient; it only occurs when both vectors vanish.
    return 2 * torch.atan2(opening, torch.where(opening + closing > 0, closing, 1.0))


def signed_angle(a: Tensor, b: Tensor, reference: Tensor) -> Tensor:
    """The same, negative where a to b turns against the reference axis (..., 3)."""
    unsigned = angle(a, b)
    side = (reference * torch.linalg.cross(a, b)).sum(-1)
    return torch.where(side < 0, -unsigned, unsigned)


def rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """(..., 3, 3) Rodrigues rotation matrices from unit axes (..., 3) and angles (...), radians."""
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    skew = skew.reshape(*axis.shape[:-1], 3, 3)
    sine, versine = angle.sin()[..., None, None], (1 - angle.cos())[..., None, None]
    identity = torch.eye(3, dtype=axis.dtype, device=axis.device)
    return identity + sine * skew + versine * (skew @ skew)
