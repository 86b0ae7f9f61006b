"""Which library is used, what the environment variable says, and what happens without one."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from two_hands import CAMERA, keypoints, picture

from im2hands_ros.kernels import library
from im2hands_ros.pipeline import Im2Hands

ROOT = Path(__file__).parents[2]


@pytest.fixture
def nothing_built(monkeypatch, tmp_path):
    monkeypatch.setattr(library.im2hands_ros, "__path__", [str(tmp_path)])
    for cached in (library.available, library.best):
        cached.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    for cached in (library.available, library.best):
        cached.cache_clear()


def kernels_of(model):
    field = model.encode(picture(), keypoints(), CAMERA)._context.native_field
    return field and field.frame.library


def test_the_best_instructions_of_this_processor_are_used(monkeypatch):
    monkeypatch.delenv(library.VARIABLE, raising=False)
    levels = library.available()
    assert 1 in levels and levels[1].compiled_for == "baseline"
    assert max(levels) == levels[1].level()
    assert library.chosen() is levels[max(levels)]
    assert kernels_of(Im2Hands.load(device="cpu")) is library.chosen()


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {}])
def test_reduced_precision_and_the_variable_leave_all_to_torch(settings, monkeypatch):
    if not settings:
        monkeypatch.setenv(library.VARIABLE, "torch")
    assert kernels_of(Im2Hands.load(device="cpu", **settings)) is None


def test_another_value_of_the_variable_is_refused(monkeypatch):
    monkeypatch.setenv(library.VARIABLE, "cuda")
    with pytest.raises(ValueError, match="'cuda': use native, torch or triton"):
        library.chosen()


def test_without_a_library_torch_takes_over_and_the_log_says_so_once(
    nothing_built, monkeypatch, caplog
):
    monkeypatch.delenv(library.VARIABLE, raising=False)
    with caplog.at_level(logging.INFO):
        assert library.chosen() is None and library.chosen() is None
    assert [r.message for r in caplog.records if "kernels: torch" in r.message] == [
        "kernels: torch (no compiled library; frames take several times as long)"
    ]


def test_demanding_a_library_that_is_missing_names_the_remedy(nothing_built, monkeypatch):
    monkeypatch.setenv(library.VARIABLE, "native")
    with pytest.raises(RuntimeError, match="C\\+\\+17 compiler"):
        Im2Hands.load(device="cpu")


def test_a_file_that_is_no_library_of_this_version_is_passed_over(nothing_built):
    folder = nothing_built / "kernels" / "lib"
    folder.mkdir(parents=True)
    (folder / "libim2hands_kernels.so").write_bytes(b"\x7fELF no library")
    assert library.available() == {}


def test_torch_alone_makes_the_same_frame(monkeypatch):
    found = []
    for wanted in ("native", "torch"):
        monkeypatch.setenv(library.VARIABLE, wanted)
        model = Im2Hands.load(device="cpu")
        found.append(model.encode(picture(), keypoints(), CAMERA).reconstruct(64))
    native, torched = found
    for side in ("left", "right"):
        a, b = getattr(native, side), getattr(torched, side)
        assert np.array_equal(a.triangles, b.triangles)
        apart = np.abs(a.vertices - b.vertices)
        assert np.quantile(apart, 0.999) < 1e-5  # metres
        assert apart.max() < 1e-4  # along an edge that the surface grazes
        assert np.array_equal(a.voxels, b.voxels)
        assert np.abs(a.voxel_occupancy - b.voxel_occupancy).max() < 1e-3


def test_every_function_of_the_header_is_declared():
    header = (ROOT / "im2hands_ros/kernels/src/kernels.h").read_text()
    offered = {
        word.split("(")[0].lstrip("*")
        for line in header.splitlines()
        if line.startswith("IM2HANDS_API")
        for word in line.split()
        if "(" in word
    }
    assert offered == set(library._FUNCTIONS)


def test_the_kernels_follow_torchs_threads():
    code = (
        "import os, torch; from im2hands_ros.kernels.library import best; kernels = best();"
        "torch.set_num_threads(4); before = len(os.listdir('/proc/self/task'));"
        "kernels.use_torch_threads(); print(len(os.listdir('/proc/self/task')) - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "3"  # and the calling one
