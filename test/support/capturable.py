"""Says which operations a recorded step could not be made of on a GPU."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# They read a value on the host, make a shape of one, or copy numbers from the host.
_WAITING = {
    *("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "item"),
    *("lift_fresh", "bincount", "repeat_interleave.Tensor", "equal", "is_nonzero"),
}


class OperationsOf(TorchDispatchMode):
    """Counts operations by name while it is entered.

    Attributes:
        counts: of every operation. waiting: of those that wait for a device, or make it wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        name = str(function).removeprefix("aten.")
        self.counts[name] += 1
        indexed_by_mask = name.startswith("index") and any(
            isinstance(it, torch.Tensor) and it.dtype is torch.bool
            for it in (args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ())
        )
        if name.rsplit(".", 1)[0] in _WAITING or name in _WAITING or indexed_by_mask:
            self.waiting[name] += 1
        return function(*args, **(kwargs or {}))
