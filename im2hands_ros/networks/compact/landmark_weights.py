"""The weights of MediaPipe's hand landmark network for our module of it."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from im2hands_ros.networks.compact.landmark_network import LandmarkNetwork, SameConv
from im2hands_ros.networks.tflite import Graph, Operator, read_graph

# Of kernels as stored to those of torch: convolutions (out, h, w, in), depthwise (1, h, w, out).
_ORDER = {"conv": (0, 3, 1, 2), "depthwise": (3, 0, 1, 2)}
_HEADS = ("landmarks", "presence", "right", "shape")


def converted(content: bytes) -> dict[str, Tensor]:
    """State of a `LandmarkNetwork`, in the precision as stored (float16).

    content: the file ``hand_landmark_full.tflite``.

    Raises ValueError if it holds another network than that module.
    """
    graph, network = read_graph(content), LandmarkNetwork()
    state: dict[str, Tensor] = {}
    convolutions = [it for it in network.named_modules() if isinstance(it[1], SameConv)]
    stored = [operator for operator in graph.operators if operator.kind in _ORDER]
    if len(stored) != len(convolutions):
        raise ValueError(f"{len(stored)} convolutions are stored, {len(convolutions)} expected")
    for operator, (name, layer) in zip(stored, convolutions, strict=True):
        assert isinstance(layer, SameConv)
        _check(operator, layer, name)
        weight, bias = (graph.constants[number] for number in operator.inputs[1:])
        state |= _fitting(name, layer, weight.transpose(_ORDER[operator.kind]), bias)
    for name, operator in zip(_HEADS, _heads(graph), strict=True):
        weight, bias = (graph.constants[number] for number in operator.inputs[1:])
        state |= _fitting(name, getattr(network, name), weight, bias)
    return state


def _check(operator: Operator, layer: SameConv, name: str) -> None:
    found = (operator.stride, operator.same, operator.activation)
    expected = (layer.stride[0], True, "relu6" if layer.active else "")
    if found != expected:
        raise ValueError(f"{name}: stride, padding, activation are {found}, not {expected}")


def _heads(graph: Graph) -> list[Operator]:
    """The linear layers in the order of the graph's outputs, which is that of ``_HEADS``."""
    linear = {it.outputs[0]: it for it in graph.operators if it.kind == "linear"}
    before = {it.outputs[0]: it.inputs[0] for it in graph.operators if it.kind == "logistic"}
    return [linear[before.get(output, output)] for output in graph.outputs]


def _fitting(
    name: str, layer: nn.Module, weight: NDArray[Any], bias: NDArray[Any]
) -> dict[str, Tensor]:
    arrays, state = {"weight": weight, "bias": bias}, {}
    for part, array in arrays.items():
        expected = tuple(getattr(layer, part).shape)
        if array.shape != expected:
            raise ValueError(f"{name}.{part} is {array.shape}, {expected} expected")
        state[f"{name}.{part}"] = torch.from_numpy(array.copy())
    return state
