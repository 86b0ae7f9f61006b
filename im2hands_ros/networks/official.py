"""Published checkpoints (PyTorch files) to our networks' tensors, without running their pickles.

A published file is read with ``weights_only``: only tensors, containers and the few numpy scalars
that the trainer left in it are let in; anything else in the file is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from im2hands_ros.networks.official_names import is_dead, official_names

# A bone's third layer without image columns, as plain HALO has it, and with them.
_PLAIN_WIDTH = 64


@dataclass
class Conversion:
    """Our tensors of one official file, and every official name that did not find its place.

    Attributes:
        tensors: by our names.
        dropped: official parameters that never influence a result.
        widened: official layers to which zero image columns were added.
        missing, unexpected, misshaped: official names with what is wrong; empty when all fits.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One phrase per official name that did not find its place."""
        return (
            [f"missing {name}" for name in self.missing]
            + [f"unexpected {name}" for name in self.unexpected]
            + self.misshaped
        )


def convert(kind: str, network: nn.Module, official: Mapping[str, Tensor]) -> Conversion:
    """Sort official tensors into the places of a network.

    Args:
        kind: which names the tensors have, a key of ``official_names.TREES``.
        network: ours of that kind; only the names and shapes of its tensors are read.
        official: tensors by their official names.
    """
    result = Conversion()
    used = set()
    for name, like in network.state_dict().items():
        parts = official_names(kind, name)
        shape = tuple(like.shape if len(parts) == 1 else like.shape[1:])
        used.update(parts)
        found = [_fit(part, official.get(part), shape, result) for part in parts]
        fitting = [tensor for tensor in found if tensor is not None]
        if len(fitting) == len(parts):
            stacked = fitting[0] if len(parts) == 1 else torch.stack(fitting)
            result.tensors[name] = stacked.to(like.dtype).contiguous()
    for name in official:
        if name not in used:
            (result.dropped if is_dead(name) else result.unexpected).append(name)
    return result


def _fit(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], result: Conversion
) -> Tensor | None:
    """The tensor in our shape, or None and a note of what is wrong."""
    if tensor is None:
        result.missing.append(name)
        return None
    have = tuple(tensor.shape)
    # Published 1x1 convolutions over points are our linear layers.
    if have in (shape, (*shape, 1)):
        return tensor.reshape(shape)
    if name.endswith("_2.weight") and have == (_PLAIN_WIDTH, _PLAIN_WIDTH) and len(shape) == 2:
        result.widened.append(name)
        return torch.cat([tensor, tensor.new_zeros(shape[0], shape[1] - _PLAIN_WIDTH)], dim=1)
    result.misshaped.append(f"{name} is {have}, needs {shape}")
    return None
