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

    def group(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one prefix, which is taken off."""
        start = f"{prefix}."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def write_state(
    path: Path,
    network: nn.Module,
    average: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
    facts: dict[str, Any],
) -> None:
    """Write the state; a reader never sees it half written.

    Raises ValueError, and writes nothing, when the network is no longer finite.
    """
    groups = {
        "network": network.state_dict(),
        "average": average,
        "optimiser": _moments(network, optimiser),
    }
    tensors = {
        f"{prefix}.{name}": tensor.detach().contiguous()
        for prefix, group in groups.items()
        for name, tensor in group.items()
    }
    refuse_non_finite(tensors)
    checkpoints.write(tensors, path, facts)


def read_state(path: Path) -> RunState:
    """Read the state of a file. Raises as ``checkpoints.read``."""
    return RunState(*checkpoints.read(path))


def state_of(content: bytes) -> RunState:
    """The state in the bytes of a file."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    return RunState(load(content), json.loads(header["__metadata__"]["record"]))


def restore_optimiser(
    network: nn.Module, optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]
) -> None:
    """Give an optimiser what ``write_state`` wrote of it."""
    state: dict[int, dict[str, Tensor]] = {}
    for index, (name, parameter) in enumerate(_trained(network)):
        start = f"{name}/"
        own = {n.removeprefix(start): t for n, t in moments.items() if n.startswith(start)}
        if own:
            state[index] = {key: _laid_out(tensor, parameter) for key, tensor in own.items()}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def refuse_non_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError naming the first tensor that holds NaN or infinity."""
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} is no longer finite, nothing was written: resume from the last "
                "checkpoint with a smaller --learning-rate or --precision fp32"
            )


def _moments(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    names = [name for name, _ in _trained(network)]
    state = optimiser.state_dict()["state"]
    return {
        f"{names[i]}/{key}": torch.as_tensor(t)
        for i, own in state.items()
        for key, t in own.items()
    }


def _trained(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in network.named_parameters() if p.requires_grad]


def _laid_out(tensor: Tensor, parameter: nn.Parameter) -> Tensor:
    """In the parameter's memory order: other kernels round differently."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)
