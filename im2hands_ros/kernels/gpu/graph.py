"""Work of fixed shapes that is recorded once as a CUDA graph and replayed.

On a CPU the same work is done anew each time, but into the same memory: what is wrong with a result
that the next replay overwrites is wrong there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
# Runs before the recording: libraries choose their kernels, constants come to the device.
_WARM_UP = 3


class Recorded(Generic[T]):
    """A function of tensors. Its result lies in memory that the next call with inputs of the same
    shapes overwrites: copy what is kept.

    The function must not wait for the device, and must read nothing but its inputs and what stays
    where it is. Not thread-safe.
    """

    def __init__(self, function: Callable[..., T], device: torch.device) -> None:
        self._function, self._device = function, device
        self._known: dict[Any, _Recording[T]] = {}

    def __call__(self, *inputs: Tensor) -> T:
        """The function's result for inputs on any device."""
        reduced = torch.is_autocast_enabled(self._device.type)
        shapes = (reduced, *((tuple(each.shape), each.dtype) for each in inputs))
        if shapes not in self._known:
            kind = _GraphRecording if self._device.type == "cuda" else _Rerun
            self._known[shapes] = kind(self._function, inputs, self._device)
        return self._known[shapes](inputs)


class _Recording(Generic[T]):
    """Inputs and result at fixed places."""

    def __init__(
        self, function: Callable[..., T], inputs: tuple[Tensor, ...], device: torch.device
    ) -> None:
        self._function = function
        self._inputs = [each.to(device, copy=True) for each in inputs]
        self._result = self._record()

    def __call__(self, inputs: tuple[Tensor, ...]) -> T:
        for place, each in zip(self._inputs, inputs, strict=True):
            place.copy_(each, non_blocking=True)
        self._replay()
        return self._result

    def _record(self) -> T:
        return self._function(*self._inputs)

    def _replay(self) -> None:
        raise NotImplementedError


class _Rerun(_Recording[T]):
    def _replay(self) -> None:
        new = self._function(*self._inputs)
        for place, value in zip(tensors_in(self._result), tensors_in(new), strict=True):
            if place is not value:
                place.copy_(value)


class _GraphRecording(_Recording[T]):
    def _record(self) -> T:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        # Weights that autocast keeps converted would be freed before the graph is replayed.
        dtype = torch.get_autocast_dtype("cuda")
        reduced = torch.is_autocast_enabled("cuda")
        with torch.cuda.stream(stream), torch.autocast("cuda", dtype, reduced, cache_enabled=False):
            for _ in range(_WARM_UP):
                self._function(*self._inputs)
            torch.cuda.current_stream().synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=stream):
                result = self._function(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _replay(self) -> None:
        self._graph.replay()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Of tensors, tuples and dataclasses in each other; other things hold none."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_in(part)
    elif is_dataclass(value):
        for each in fields(value):
            yield from tensors_in(getattr(value, each.name))
