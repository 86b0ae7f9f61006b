"""Random numbers for scenes, the same on every CPU.

`torch.randn` takes another way where a CPU has AVX2, and float32 arithmetic on its result another
one again. Here the generator's bits, which are the same everywhere, become float64 at once.
"""

import math

import torch
from torch import Tensor

_NORMALS = 16  # are made at once, from 8 radii and 8 angles, in the order of `torch.randn`


def uniform(*shape: int, generator: torch.Generator) -> Tensor:
    """Float64 numbers of this shape, uniform in [0, 1)."""
    return torch.rand(shape, generator=generator).double()


def normal(*shape: int, generator: torch.Generator) -> Tensor:
    """Float64 numbers of this shape with zero mean and unit deviation."""
    count = math.prod(shape)
    if count < _NORMALS:
        return torch.randn(shape, generator=generator, dtype=torch.float64)
    draws = uniform(count, generator=generator)
    whole = count - count % _NORMALS
    numbers = box_muller(draws[:whole])
    if whole < count:
        last = box_muller(uniform(_NORMALS, generator=generator))
        numbers = torch.cat([numbers[: count - _NORMALS], last])
    return numbers.reshape(shape)


def box_muller(draws: Tensor) -> Tensor:
    """(N * 16,) uniform numbers in [0, 1) to as many normal ones."""
    first, second = draws.reshape(-1, 2, _NORMALS // 2).unbind(1)
    radius, angle = (-2 * (1 - first).log()).sqrt(), 2 * math.pi * second
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1).flatten()
