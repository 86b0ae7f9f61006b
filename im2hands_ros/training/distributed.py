"""One training run over several processes: ``torchrun`` starts them, each draws a part of a batch.

What the processes compute together is what one process would compute of the whole batch: losses
are weighted by what they are means over, gradients and the statistics of batch norms are summed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

_TIMEOUT = timedelta(minutes=30)


class Processes:
    """The processes of a run, seen from one of them; alone, all of this does nothing."""

    def __init__(self, device: torch.device, rank: int = 0, count: int = 1) -> None:
        self.device, self.rank, self.count = device, rank, count

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Join the process group of the environment, as ``torchrun`` sets it."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, init_method="env://", timeout=_TIMEOUT)
        return cls(device, distributed.get_rank(), count)

    def leave(self) -> None:
        """Leave the process group."""
        if self.count > 1:
            distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, prints and validates."""
        return self.rank == 0

    def part(self, scenes: int) -> slice:
        """Which scenes of a batch are this process's."""
        if scenes < self.count:
            raise ValueError(
                f"a batch of {scenes} scenes cannot be split over {self.count} processes: "
                f"use --batch {self.count} or more"
            )
        return slice(self.rank * scenes // self.count, (self.rank + 1) * scenes // self.count)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over processes, without gradient."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def any(self, condition: bool) -> bool:
        """Whether it is true in any process."""
        if self.count == 1:
            return condition
        return bool(self.sum(torch.tensor(float(condition), device=self.device)))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients; parameters that no process has a gradient of keep none."""
        if self.count == 1:
            return
        parameters = list(parameters)
        has = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        moved = [
            p for p, any_has in zip(parameters, self.sum(has).tolist(), strict=True) if any_has
        ]
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in moved]
        total = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        sizes = [gradient.numel() for gradient in gradients]
        for parameter, gradient in zip(moved, total.split(sizes), strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(gradient.view(parameter.shape))

    def broadcast(self, content: bytes) -> bytes:
        """What the first process holds."""
        if self.count == 1:
            return content
        size = torch.tensor(len(content), device=self.device)
        distributed.broadcast(size, src=0)
        if not size:
            return b""
        values = torch.zeros(int(size), dtype=torch.uint8, device=self.device)
        if self.first:
            values.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        distributed.broadcast(values, src=0)
        return values.cpu().numpy().tobytes()

    def synchronise(self, network: nn.Module) -> None:
        """Let the batch norms of a network see the whole batch."""
        if self.count == 1:
            return
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, _BatchNorm):
                    setattr(module, name, SharedBatchNorm.of(child))


def device_of(name: str) -> torch.device:
    """The device of this process: one GPU each, as ``torchrun`` numbers them.

    name: auto, cpu, cuda or cuda:N.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    device = torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


class SharedBatchNorm(_BatchNorm):
    """Batch norm whose statistics are those of all processes together; on CPU, too."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> SharedBatchNorm:
        """The same norm, parameters and buffers included."""
        if norm.momentum is None or not norm.track_running_stats:
            raise ValueError("a batch norm without momentum cannot be trained in several processes")
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        shared.__dict__.update(norm.__dict__)
        return shared

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) normalised over all but C."""
        if not self.training:
            return super().forward(x)
        values = x.float()
        axes = [axis for axis in range(x.dim()) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
        size = values.new_tensor([x.numel() // self.num_features])
        sums = _Sum.apply(torch.cat([values.sum(axes), size]))
        count = sums[-1].detach()
        centred = values - (sums[:-1] / count).view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / count
        self._update_running_statistics((sums[:-1] / count).detach(), variance.detach(), count)
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None  # see `of`
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1).clamp_min(1), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        pass


class _Sum(torch.autograd.Function):
    """Sum over processes whose gradient is summed over processes as well."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        values = values.clone()
        distributed.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient
