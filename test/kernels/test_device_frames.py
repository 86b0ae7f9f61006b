"""Whole frames by the steps that a GPU records, on a CPU with the library in Triton's place."""

import logging

import numpy as np
import pytest
import torch
from capturable import OperationsOf
from demo_frames import assert_same, encoded
from device_twins import LibraryField

from im2hands_ros.kernels.gpu.graph import Recorded, tensors_in
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.surface import fixed_search

CPU = torch.device("cpu")


def device_model(monkeypatch):
    """The packaged networks, run as on a GPU."""
    monkeypatch.setenv("IM2HANDS_KERNELS", "torch")
    model = Im2Hands.load(device="cpu")
    model.networks.run_on(CPU, LibraryField())
    return model


@pytest.fixture
def both(monkeypatch):
    device = device_model(monkeypatch)
    monkeypatch.setenv("IM2HANDS_KERNELS", "native")
    return device, Im2Hands.load(device="cpu")


def test_frames_are_those_of_the_cpu(both):
    device, native = both
    assert (device.kernels, native.kernels) == ("triton", "native")
    for number, sides in ((60, ("left", "right")), (20, ("right",)), (80, ("left", "right"))):
        found = encoded(device, number, sides).reconstruct()
        assert_same(found, encoded(native, number, sides).reconstruct())


def test_stages_that_are_switched_off_are_left_out(both):
    for model in both:
        model.refine_occupancy = model.refine_keypoints = False
    assert_same(encoded(both[0], 60).reconstruct(), encoded(both[1], 60).reconstruct())
    for model in both:
        model.refine_occupancy = True
    assert_same(encoded(both[0], 60).reconstruct(), encoded(both[1], 60).reconstruct())


def test_a_scene_keeps_its_field_when_the_next_frame_comes(monkeypatch):
    model = device_model(monkeypatch)
    scene = encoded(model, 0)
    points = np.random.default_rng(0).normal(scene.keypoints.left.mean(0), 0.03, (500, 3))
    before = scene.left.occupancy(points.astype(np.float32))
    first = scene.reconstruct()
    kept = first.left.vertices.copy()
    encoded(model, 70).reconstruct()
    assert np.array_equal(scene.left.occupancy(points.astype(np.float32)), before)
    assert np.array_equal(first.left.vertices, kept)
    assert np.array_equal(scene.reconstruct().left.vertices, kept)
    assert 0.05 < (before > 0.5).mean() < 0.95


def test_an_overflow_is_logged_and_the_frame_searched_in_torch(both, caplog, monkeypatch):
    device, native = both
    monkeypatch.setattr(fixed_search, "POINTS_A_SQUARE", 2)
    with caplog.at_level(logging.WARNING):
        found = encoded(device, 60).reconstruct()
    assert "overflowed" in caplog.text
    assert_same(found, encoded(native, 60).reconstruct())


def test_resolutions_that_the_device_does_not_search_are_searched_in_torch(both):
    device, native = both
    assert_same(encoded(device, 60).reconstruct(33), encoded(native, 60).reconstruct(33))


def test_recorded_steps_wait_for_nothing(monkeypatch):
    """What runs in a graph must neither read a value on the host nor copy one from there."""
    model = device_model(monkeypatch)
    encoded(model, 60).reconstruct()  # constants are made, as in a recording's warm-up
    seen = {}

    class Watched(Recorded):
        def __call__(self, *inputs):
            function = self._function

            def watched(*places):
                with OperationsOf() as operations:
                    result = function(*places)
                seen[getattr(function, "__qualname__", str(function))] = operations
                return result

            for recording in self._known.values():
                recording._function = watched
            return super().__call__(*inputs)

    monkeypatch.setattr(LibraryField, "__call__", lambda self, points, blocks: points.points[:, 0])
    for step in (model.networks.on_device, *model._searches._device_searches.values()):
        for value in vars(step).values():
            for recorded in value.values() if isinstance(value, dict) else (value,):
                if isinstance(recorded, Recorded):
                    recorded.__class__ = Watched
    encoded(model, 60).reconstruct()
    assert len(seen) == 5
    assert {name: dict(step.waiting) for name, step in seen.items() if step.waiting} == {}


def test_a_recording_copies_inputs_and_keeps_its_memory():
    recorded = Recorded(lambda a, b: (a + b, [a * b]), CPU)
    first = recorded(torch.ones(3), torch.ones(3))
    second = recorded(torch.full((3,), 2.0), torch.full((3,), 3.0))
    assert first is second and second[0].tolist() == [5.0] * 3
    other = recorded(torch.ones(2), torch.ones(2))
    assert other is not first and first[0].tolist() == [5.0] * 3
    assert len(list(tensors_in(first))) == 2
