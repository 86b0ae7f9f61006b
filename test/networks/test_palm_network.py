"""The palm network computes what MediaPipe's file computes; its packaged weights are sound."""

from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest
import torch

from im2hands_ros.detection.bundle import find_bundle
from im2hands_ros.detection.palms import WEIGHTS
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact import palm_weights
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE, PalmNetwork

BOX = 4


@pytest.fixture(scope="module")
def stored() -> bytes:
    with zipfile.ZipFile(find_bundle()) as archive:
        return archive.read("hand_detector.tflite")


@pytest.fixture(scope="module")
def converted(stored: bytes) -> dict[str, torch.Tensor]:
    return palm_weights.converted(stored)


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


def test_made_fast_it_computes_the_same_of_one_picture_and_of_several() -> None:
    plain, fast = PalmNetwork().eval(), PalmNetwork().eval()
    for network in (plain, fast):
        checkpoints.load_into(network, WEIGHTS)
        network.requires_grad_(False).to(memory_format=torch.channels_last)
    fast.fuse()
    random = np.random.default_rng(0)
    for count in (1, 3, 1):  # the weights are packed for the first
        pictures = torch.from_numpy(random.random((count, 3, INPUT_SIZE, INPUT_SIZE), np.float32))
        with torch.inference_mode():
            expected, given = plain(pictures), fast(pictures)
        assert (expected.logits - given.logits).abs().max() < 1e-3
        assert (expected.joints - given.joints).abs().max() < 1e-2
