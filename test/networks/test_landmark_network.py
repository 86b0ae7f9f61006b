"""The landmark network computes what MediaPipe's file computes, and its packaged weights are it."""

from __future__ import annotations

import copy
import zipfile

import numpy as np
import pytest
import torch

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import WEIGHTS
from im2hands_ros.networks.compact.landmark_network import MAP_WIDTHS, STRIDES, LandmarkNetwork
from im2hands_ros.networks.compact.landmark_weights import converted
from im2hands_ros.networks.tflite import read_graph

# What TensorFlow Lite's interpreter (ai-edge-litert 2.3.0) makes of ``pattern``: x, y, z.
INTERPRETED = """
106.92372 170.36572 0.00002 114.92027 152.11688 4.13491 120.39658 129.63637 5.57945
119.66651 113.88573 6.65317 121.48902 103.58987 8.85723 119.12548 103.48624 6.82028
120.06812 79.41121 6.37819 112.56283 70.20012 6.32656 106.02284 67.01034 6.98326
113.17378 104.89936 5.59477 118.21825 83.25845 4.23554 113.25581 79.51548 3.69882
110.16177 78.29977 4.22466 108.35367 110.6734 4.44338 113.3528 90.84727 1.90937
110.82396 86.82024 1.9382 110.05829 82.78377 3.35769 107.32333 118.7524 4.07029
110.40557 102.33948 3.80098 106.94312 96.68038 5.14355 103.24813 92.91228 6.40401
"""
PRESENCE, RIGHT = 0.00430, 0.73054


def pattern() -> torch.Tensor:
    """(1, 3, 224, 224) of whole 255ths, the same everywhere."""
    y, x = np.mgrid[:224, :224]
    planes = [(x * 3 + y * 5) % 256, (x * x // 64 + y * 2) % 256, (x * 7 + y * y // 50) % 256]
    return torch.from_numpy(np.stack(planes)[None].astype(np.float32) / 255)


@pytest.fixture(scope="module")
def network() -> LandmarkNetwork:
    made = LandmarkNetwork().eval()
    checkpoints.load_into(made, WEIGHTS)
    return made


@torch.inference_mode()
def test_landmarks_are_those_of_the_interpreter(network) -> None:
    # In float64: rounding in float32 differs by processor and threads.
    seen = copy.deepcopy(network).double()(pattern().double())
    wanted = torch.tensor([float(word) for word in INTERPRETED.split()]).view(21, 3)
    raw = torch.cat([seen.landmarks[0, :, :2] + 0.5, seen.landmarks[0, :, 2:] * 0.4], 1)
    assert (raw - wanted).abs().max() < 0.0002
    assert abs(float(seen.presence[0]) - PRESENCE) < 1e-4
    assert abs(float(seen.right[0]) - RIGHT) < 1e-4


@torch.inference_mode()
def test_maps_come_at_the_strides_and_widths_that_are_stated(network) -> None:
    sizes = [tuple(each.shape) for each in network(pattern()).maps]
    expected = zip(MAP_WIDTHS, STRIDES, strict=True)
    assert sizes == [(1, width, 224 // s, 224 // s) for width, s in expected]


@torch.inference_mode()
def test_fused_convolutions_change_nothing(network) -> None:
    fused = LandmarkNetwork().eval()
    fused.load_state_dict(network.state_dict())
    fused.to(memory_format=torch.channels_last)
    fused.fuse()
    images = torch.cat([pattern(), pattern().flip(3), pattern().flip(2)])
    for one, other in zip(network(images)[:4], fused(images)[:4], strict=True):
        assert torch.allclose(one, other, atol=1e-3)


def test_the_packaged_weights_are_the_files_own_numbers() -> None:
    with zipfile.ZipFile(find_bundle()) as archive:
        stored = converted(archive.read("hand_landmarks_detector.tflite"))
    packaged, record = checkpoints.read(WEIGHTS)
    assert stored.keys() == packaged.keys()
    assert all(torch.equal(stored[name], packaged[name]) for name in stored)
    assert record["licence"] == "Apache-2.0" and record["changes"]


def test_another_network_is_not_taken_for_it(monkeypatch) -> None:
    with zipfile.ZipFile(find_bundle()) as archive:
        graph = read_graph(archive.read("hand_landmarks_detector.tflite"))
    first = graph.operators[0]._replace(stride=1)
    changed = type(graph)((first, *graph.operators[1:]), graph.outputs, graph.constants)
    monkeypatch.setattr(
        "im2hands_ros.networks.compact.landmark_weights.read_graph", lambda content: changed
    )
    with pytest.raises(ValueError, match=r"stem\.0"):
        converted(b"")
