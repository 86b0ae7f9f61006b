"""What needs a GPU: the kernel compiled, steps recorded as CUDA graphs, whole frames.

`scripts/gpu_check.sh` runs these; elsewhere they are counted as not run.
"""

import logging

import numpy as np
import pytest
import torch
from demo_frames import assert_same, encoded
from device_twins import SIZES, blocks_of
from kernel_twins import CLOSE, drawn_context, fully_corrected, points_around, trained

from im2hands_ros.kernels.gpu.field import Blocks, DeviceField, TritonField
from im2hands_ros.networks.compact import packing
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.surface import fixed_search

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
GPU = torch.device("cuda")


def model_on(device, precision="fp32"):
    return Im2Hands.load(device=device, precision=precision)


@pytest.mark.parametrize(("precision", "most"), [("ieee", CLOSE), ("tf32", 0.1)])
@torch.no_grad()
def test_logits_equal_those_of_torch_on_the_cpu(precision, most):
    for context in (drawn_context(), fully_corrected(drawn_context()), drawn_context(0)):
        networks = trained()
        weights = torch.from_numpy(packing.weights(networks.initial, networks.refinement))
        blocks = Blocks(*(part.to(GPU) for part in blocks_of(context)))
        points = points_around(context, 5000)
        for anchors in (blocks.anchors, None):
            evaluator = TritonField(weights.to(GPU), SIZES, precision)
            field = DeviceField(evaluator, blocks._replace(anchors=anchors))
            expected = (context if anchors is not None else context.initial).logits(points)
            off = (field(points.to(GPU)).cpu() - expected).abs()
            assert off.max() < most


def test_frames_are_those_of_the_cpu():
    gpu, cpu = model_on("cuda"), model_on("cpu")
    assert gpu.kernels == "triton"
    for number, sides in ((60, ("left", "right")), (20, ("right",)), (80, ("left", "right"))):
        for resolution in (64, 128):
            found = encoded(gpu, number, sides).reconstruct(resolution)
            # Convolutions differ in the last digits, and with them the joints.
            assert_same(found, encoded(cpu, number, sides).reconstruct(resolution), 1e-4, 5e-4)


def test_reduced_precision_moves_surfaces_by_less_than_a_millimetre():
    reduced, exact = model_on("cuda", "bf16"), model_on("cuda")
    for number in (20, 60):
        assert_same(
            encoded(reduced, number).reconstruct(), encoded(exact, number).reconstruct(), 1e-3, 4e-3
        )


def test_kernels_and_torch_agree_on_the_gpu(monkeypatch):
    kernels = model_on("cuda")
    monkeypatch.setenv("IM2HANDS_KERNELS", "torch")
    plain = model_on("cuda")
    assert (kernels.kernels, plain.kernels) == ("triton", "torch")
    for number in (0, 60):
        assert_same(
            encoded(kernels, number).reconstruct(), encoded(plain, number).reconstruct(), 1e-4, 5e-4
        )


def test_a_scene_keeps_its_field_when_the_next_frame_comes():
    model = model_on("cuda")
    scene = encoded(model, 0)
    points = np.random.default_rng(0).normal(scene.keypoints.left.mean(0), 0.03, (500, 3))
    before = scene.left.occupancy(points.astype(np.float32))
    kept = scene.reconstruct().left.vertices.copy()
    encoded(model, 70).reconstruct()
    assert np.array_equal(scene.left.occupancy(points.astype(np.float32)), before)
    assert np.array_equal(scene.reconstruct().left.vertices, kept)


def test_an_overflow_is_logged_and_the_frame_searched_in_torch(caplog, monkeypatch):
    monkeypatch.setattr(fixed_search, "POINTS_A_SQUARE", 2)
    gpu, cpu = model_on("cuda"), model_on("cpu")
    with caplog.at_level(logging.WARNING):
        found = encoded(gpu, 60).reconstruct()
    assert "overflowed" in caplog.text
    assert_same(found, encoded(cpu, 60).reconstruct(), 1e-4, 5e-4)
