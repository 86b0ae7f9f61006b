"""Scenes and samples are the same whatever the CPU can do and however many threads it runs.

A block of scenes, a motion and a few samples are drawn here, as this CPU does it best, and by
processes whose torch, MKL, numpy and OpenBLAS compute as on other CPUs. A library that lacks the
named instructions uses the next lower ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.dataset import PointCounts, make_samples, scene_block
from im2hands_ros.synthetic.poses import sequence
from im2hands_ros.synthetic.sample import POINT_STEP, present
from im2hands_ros.synthetic.scenes import Scenes, tools

TOLERANCE = 1e-6  # metres, radians; most numbers are equal to the last bit of float32
FEW = PointCounts(200, 200)
NO_SIMD = "AVX2 FMA3 AVX512F AVX512_SKX X86_V3 X86_V4 AVX512_ICL"  # names of old and new numpy
MACHINES = {
    "no AVX": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": NO_SIMD,
        "OPENBLAS_CORETYPE": "Nehalem",
        "OMP_NUM_THREADS": "1",
    },
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "OMP_NUM_THREADS": "3"},
}


def of_scenes(scenes: Scenes) -> dict[str, np.ndarray]:
    """All numbers of scenes, and the hands' joints (B, 21, 3)."""
    arrays = {"kind": scenes.kind}
    for side in SIDES:
        for name in ("pose", "shape", "rotation", "translation"):
            arrays[f"{name}_{side}"] = getattr(scenes, name)[side].numpy()
        arrays[f"keypoints_{side}"] = scenes.posed(tools()[0], side).keypoints.numpy()
    return arrays


def draw() -> dict[str, np.ndarray]:
    """A block of 64 scenes, a motion of 30 frames, and the block's first samples."""
    drawn = {"block": of_scenes(scene_block("test", 0)), "motion": of_scenes(sequence(30, seed=3))}
    for index, sample in enumerate(make_samples("test", 0, 3, FEW)):
        camera = sample.camera
        arrays = {"camera": np.array([camera.fx, camera.fy, camera.cx, camera.cy])}
        arrays |= {"image": sample.image, "mask": sample.mask}
        for name in ("keypoints", "points", "depth"):
            for side, values in present(getattr(sample, name)).items():
                arrays[f"{name}_{side}"] = values
        drawn[f"sample{index}"] = arrays
    return {f"{what}/{name}": v for what, arrays in drawn.items() for name, v in arrays.items()}


@pytest.fixture(scope="module")
def here() -> dict[str, np.ndarray]:
    return draw()


@pytest.fixture(scope="module", params=MACHINES)
def there(request: pytest.FixtureRequest, tmp_path_factory) -> dict[str, np.ndarray]:
    path = tmp_path_factory.mktemp("drawn") / "drawn.npz"
    environment = {**os.environ, **MACHINES[request.param]}
    subprocess.run([sys.executable, __file__, str(path)], env=environment, check=True)
    with np.load(path) as file:
        return dict(file)


def test_scenes_and_motion_agree(here, there):
    names = [name for name in here if name.startswith(("block/", "motion/"))]
    assert here.keys() == there.keys()
    for name in names:
        if name.endswith("kind"):
            assert (here[name] == there[name]).all()
        else:
            np.testing.assert_allclose(
                there[name], here[name], rtol=0, atol=TOLERANCE, err_msg=name
            )
    numbers = [name for name in names if not name.endswith("kind") and "keypoints" not in name]
    equal = np.mean([(here[name] == there[name]).mean() for name in numbers])
    assert equal > 0.99


def test_samples_agree(here, there):
    for name in (name for name in here if name.startswith("sample")):
        first, second = here[name].astype(np.float64), there[name].astype(np.float64)
        what = name.split("/")[1].split("_")[0]
        if what == "image":
            # Where rays meet edges a few pixels of the clean picture differ, and JPEG spreads that.
            assert np.abs(first - second).mean() < 0.05
        elif what == "mask":
            assert (first != second).sum() <= 10
        elif what in ("points", "depth"):
            # Points lie on a lattice: one half way between two steps may go to either.
            assert np.abs(first - second).max() < 2 * POINT_STEP
            assert (first != second).mean() < 0.01
        else:
            np.testing.assert_allclose(second, first, rtol=0, atol=TOLERANCE, err_msg=name)


if __name__ == "__main__":
    np.savez(Path(sys.argv[1]), **draw())
