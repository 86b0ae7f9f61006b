"""Constant tensors, copied to each device once.

A tensor made from numbers in Python is a copy to the device, and the host waits for it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor


@cache
def constant(
    values: tuple[Any, ...], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """A (nested) tuple of numbers as a tensor, to be read only."""
    # One made in inference mode could not be used in training afterwards.
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def indices(values: tuple[int, ...], device: torch.device) -> Tensor:
    """Whole numbers to index with."""
    return constant(values, device, torch.long)
