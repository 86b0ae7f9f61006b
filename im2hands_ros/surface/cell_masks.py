"""Masks of whole lattices, of points and of the cells between them, of H hands at once.

"inside" is a mask (H, p, p, p) of lattice points, "cells" one (H, c, c, c) with c = p - 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def at_corners(values: Tensor) -> list[Tensor]:
    """Values (H, p, p, p) at the corners of the cells (H, c, c, c): 4·dx + 2·dy + dz."""
    found = [values]
    for axis in (1, 2, 3):
        shorter = values.shape[axis] - 1
        found = [it.narrow(axis, first, shorter) for it in found for first in (0, 1)]
    return found


def any_inside(inside: Tensor) -> Tensor:
    """Cells with some corner inside."""
    for axis in (1, 2, 3):
        shorter = inside.shape[axis] - 1
        inside = inside.narrow(axis, 0, shorter) | inside.narrow(axis, 1, shorter)
    return inside


def straddling(inside: Tensor) -> Tensor:
    """Cells with corners on both sides."""
    return any_inside(inside) & any_inside(~inside)


def corners_of(cells: Tensor) -> Tensor:
    """Lattice points (H, p, p, p) at the corners of cells (H, c, c, c)."""
    return any_inside(F.pad(cells, (1, 1) * 3))


def finer(cells: Tensor) -> Tensor:
    """The eight children of each cell."""
    for axis in (1, 2, 3):
        cells = cells.repeat_interleave(2, axis)
    return cells


def ringed(cells: Tensor) -> Tensor:
    """Cells and those that share a face with one."""
    found = cells
    for axis in (1, 2, 3):
        found = _along(cells, axis, 1) | _along(cells, axis, -1) | found
    return found


def _along(cells: Tensor, axis: int, step: int) -> Tensor:
    """Cells moved by one along an axis; what leaves the box is lost."""
    moved = torch.zeros_like(cells)
    count = cells.shape[axis] - 1
    first, second = (0, 1) if step > 0 else (1, 0)
    moved.narrow(axis, second, count).copy_(cells.narrow(axis, first, count))
    return moved


def beyond_faces(inside: Tensor, cells: Tensor) -> Tensor:
    """Cells on the other side of the faces of cells that carry a sign change."""
    beyond = torch.zeros_like(cells)
    for axis in (1, 2, 3):
        some, every = _over_faces(inside, axis)
        mixed = some & ~every
        count = cells.shape[axis]
        beyond |= _along(cells & mixed.narrow(axis, 1, count), axis, 1)
        beyond |= _along(cells & mixed.narrow(axis, 0, count), axis, -1)
    return beyond


def _over_faces(inside: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Whether some and whether all corners of the faces across an axis are inside."""
    some = every = inside
    for other in (1, 2, 3):
        if other != axis:
            count = inside.shape[other] - 1
            some = some.narrow(other, 0, count) | some.narrow(other, 1, count)
            every = every.narrow(other, 0, count) & every.narrow(other, 1, count)
    return some, every
