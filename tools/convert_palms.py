"""Convert MediaPipe's palm detection network into weights of `networks.compact.palm_network`.

    python -m im2hands_ros.detection.bundle          # fetches the network, checks its hash
    python tools/convert_palms.py                    # im2hands_ros/data/weights/palms.safetensors

Reads the network's file out of that bundle and writes the same float16 numbers under other names:
nothing is rounded, nothing trained.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.detection.palms import WEIGHTS
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.palm_network import PalmNetwork
from im2hands_ros.networks.tflite import read_graph

MEMBER = "hand_detector.tflite"
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="", help="the bundle (the one that was made)")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    with zipfile.ZipFile(find_bundle(given.bundle)) as archive:
        content = archive.read(MEMBER)
    record = {
        "network": "palm_detection_full.tflite of MediaPipe Hands, as in mediapipe 0.10.21",
        "sha256": hashlib.sha256(content).hexdigest(),
        "copyright": "The MediaPipe Authors (Google LLC)",
        "licence": "Apache-2.0",
        "changes": "stored as safetensors, tensors renamed and transposed; values unchanged",
        "command": "python tools/convert_palms.py",
    }
    checkpoints.write(converted(content), given.out, record)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
