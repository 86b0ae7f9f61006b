"""The state of a training run in one safetensors file: what resuming needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor, nn

from im2hands_ros.networks import checkpoints


class RunState(NamedTuple):
    """Tensors by name, ``network.…``, ``average.…`` and ``optimiser.…``, and what is no tensor."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @classmethod
    def of(cls, groups: Mapping[str, Mapping[str, Tensor]], facts: dict[str, Any]) -> RunState:
        """Groups of tensors under one prefix each."""
        tensors = {
            f"{prefix}.{name}": tensor
            for prefix, group in groups.items()
            for name, tensor in group.items()
        }
        return cls(tensors, facts)

    @classmethod
    def parse(cls, content: bytes) -> RunState:
        """The state in the bytes of a file."""
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        return cls(load(content), json.loads(header["__metadata__"]["record"]))

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one prefix, which is taken off."""
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def write_finite(tensors: dict[str, Tensor], path: Path, facts: dict[str, Any]) -> None:
    """Write a safetensors file; a reader never sees it half written.

    Raises ValueError, and writes nothing, when a tensor holds NaN or infinity.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} is no longer finite, {path} was left as it was: resume from there with "
                "a smaller --learning-rate or --precision fp32"
            )
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    checkpoints.write(whole, path, facts)


def moments_of(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors, named by the parameters that they belong to."""
    names = [name for name, _ in _trained(network)]
    state = optimiser.state_dict()["state"]
    return {f"{names[i]}/{key}": value for i, own in state.items() for key, value in own.items()}


def restore_moments(
    network: nn.Module, optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]
) -> None:
    """Give an optimiser of the same network what ``moments_of`` took from another."""
    state: dict[int, dict[str, Tensor]] = {}
    for index, (name, parameter) in enumerate(_trained(network)):
        start = f"{name}/"
        own = {n.removeprefix(start): t for n, t in moments.items() if n.startswith(start)}
        if own:
            state[index] = {key: _laid_out(tensor, parameter) for key, tensor in own.items()}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _trained(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]


def _laid_out(tensor: Tensor, parameter: nn.Parameter) -> Tensor:
    """In the parameter's memory order: kernels for another order round differently."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)
