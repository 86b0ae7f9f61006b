"""The palm network computes what MediaPipe's file computes, and its packaged weights are it."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.detection.palms import WEIGHTS
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE, PalmNetwork

TOOL = Path(__file__).resolve().parents[2] / "tools" / "convert_palms.py"
BOX = 4


@pytest.fixture(scope="module")
def stored() -> bytes:
    with zipfile.ZipFile(find_bundle()) as archive:
        return archive.read("hand_detector.tflite")


@pytest.fixture(scope="module")
def converted(stored: bytes) -> dict[str, torch.Tensor]:
    spec = importlib.util.spec_from_file_location("convert_palms", TOOL)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool.converted(stored)


def test_opencv_s_interpreter_computes_the_same_joints_from_the_same_picture(
    stored, converted
) -> None:
    network = PalmNetwork().eval()
    network.load_state_dict(converted)
    picture = torch.from_numpy(
        np.random.default_rng(0).random((1, 3, INPUT_SIZE, INPUT_SIZE), np.float32)
    )
    with torch.inference_mode():
        ours = network(picture).joints
    interpreter = cv2.dnn.readNetFromTFLite(np.frombuffer(stored, np.uint8))
    interpreter.setInput(picture.numpy())
    raw = torch.from_numpy(interpreter.forward("Identity")[..., BOX:])
    # MediaPipe counts from the first pixel's edge.
    theirs = raw.reshape(ours.shape) + network.anchors[:, None]
    assert (ours - theirs).abs().max() < 2e-3


def test_the_packaged_weights_are_finite_and_fit_and_say_where_they_are_from() -> None:
    record = checkpoints.load_into(PalmNetwork(), WEIGHTS)
    assert record["licence"] == "Apache-2.0" and "mediapipe 0.10.21" in record["network"]
