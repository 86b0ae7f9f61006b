"""How far a finger's joints lie out of one plane: noise moves them out, no hand's anatomy does."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from im2hands_ros.precision import autocast_disabled


def out_of_plane(joints: Tensor) -> Tensor:
    """Root mean square distance of (..., 21, 3) joints, MANO order, from their fingers' planes.

    The four joints of a finger bend about parallel axes. Of rigs and of people they lie within
    about half a millimetre of a plane, wherever a tracker puts them along the finger; independent
    noise of the standard deviation s moves them out by about 0.4 s. Returns (...), metres.
    """
    with autocast_disabled(joints):
        fingers = joints[..., 1:, :].unflatten(-2, (5, 4)).double()
        centred = fingers - fingers.mean(-2, keepdim=True)
        least = smallest_eigenvalue(centred.mT @ centred / 4)
        return least.clamp_min(0).mean(-1).sqrt().to(joints.dtype)


def smallest_eigenvalue(matrix: Tensor) -> Tensor:
    """(...) of symmetric (..., 3, 3) matrices, in closed form (Smith, 1961)."""
    mean = matrix.diagonal(dim1=-2, dim2=-1).mean(-1)
    rest = matrix - mean[..., None, None] * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    size = (rest.square().sum((-2, -1)) / 6).sqrt()
    unit = rest / size.clamp_min(1e-30)[..., None, None]
    a, b, c = unit.unbind(-2)
    cosine = (torch.linalg.cross(a, b) * c).sum(-1) / 2
    return mean + 2 * size * (cosine.clamp(-1, 1).acos() / 3 + 2 * math.pi / 3).cos()
