"""A frame's image is bound once, however often hands are bound to it, and for that frame alone."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.kernels.choice import kernels_wanted
from im2hands_ros.networks.attention import QueryImageAttention
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

DEMO = load_demo_sequence()
FRAME, LATER = DEMO.frames[5], DEMO.frames[40]


@pytest.fixture(params=["", "torch"], ids=["kernels", "torch"])
def model(request) -> Im2Hands:
    with kernels_wanted(request.param):
        return Im2Hands.load(device="cpu")


def around() -> np.ndarray:
    random = np.random.default_rng(0)
    joints = FRAME.keypoints["left"]
    return (joints[random.integers(0, 21, 50)] + random.normal(0, 0.01, (50, 3))).astype(np.float32)


def occupancy(model: Im2Hands, image: np.ndarray) -> np.ndarray:
    return model.encode(image, FRAME.keypoints, DEMO.camera).left.occupancy(around())


def test_a_frame_with_depth_binds_its_image_once(model, monkeypatch):
    bound = []
    precompute = QueryImageAttention.precompute

    def counted(attention, image):
        bound.append(image)
        return precompute(attention, image)

    monkeypatch.setattr(QueryImageAttention, "precompute", counted)
    depth = np.full(FRAME.image.shape[:2], FRAME.keypoints["left"][:, 2].mean(), np.float32)
    model.encode(FRAME.image, FRAME.keypoints, DEMO.camera, depth)
    assert len(bound) == 1
    model.encode(LATER.image, LATER.keypoints, DEMO.camera, depth)
    assert len(bound) == 2 and (bound[0] - bound[1]).abs().max() > 0.01


def test_another_picture_of_the_same_hands_is_not_taken_for_the_last_one(model):
    black = np.zeros_like(FRAME.image)
    first, dark = occupancy(model, FRAME.image), occupancy(model, black)
    assert np.abs(first - dark).max() > 0.01
    assert np.array_equal(occupancy(model, FRAME.image), first)


def test_a_scene_stays_as_it_was_when_later_frames_come(model):
    scene = model.encode(FRAME.image, FRAME.keypoints, DEMO.camera)
    before = scene.left.occupancy(around())
    for _ in range(2):
        model.encode(LATER.image, LATER.keypoints, DEMO.camera)
    assert np.array_equal(scene.left.occupancy(around()), before)
