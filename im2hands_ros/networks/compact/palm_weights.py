"""Weights of the palm network out of MediaPipe's file; nothing is rounded, nothing trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from im2hands_ros.networks.compact.palm_network import PalmNetwork
from im2hands_ros.networks.tflite import read_graph

# Of kernels as stored to those of torch: convolutions (out, h, w, in), depthwise (1, h, w, out).
_ORDER = {"conv": (0, 3, 1, 2), "depthwise": (3, 0, 1, 2)}


def converted(content: bytes) -> dict[str, Tensor]:
    """State of a `PalmNetwork`; content: the file ``palm_detection_full.tflite``.

    Raises ValueError if it holds another network than that module.
    """
    graph, state = read_graph(content), {}
    modules = list(PalmNetwork().named_modules())
    for kinds, of_type in ((("conv", "depthwise"), nn.Conv2d), (("prelu",), nn.PReLU)):
        layers = [(name, layer) for name, layer in modules if isinstance(layer, of_type)]
        operators = [operator for operator in graph.operators if operator.kind in kinds]
        for operator, (name, layer) in zip(operators, layers, strict=True):
            arrays = [graph.constants[number] for number in operator.inputs[1:]]
            for part, array in zip(("weight", "bias"), arrays, strict=False):
                if array.ndim == 4:
                    array = array.transpose(_ORDER[operator.kind])
                expected = tuple(getattr(layer, part).shape)
                if array.size != getattr(layer, part).numel():
                    raise ValueError(f"{name}.{part} is {array.shape}, {expected} expected")
                state[f"{name}.{part}"] = torch.from_numpy(array.reshape(expected).copy())
    return state
