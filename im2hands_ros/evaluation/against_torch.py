"""The compiled kernels against their twin in torch: alternating frames in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tqdm import tqdm

from im2hands_ros.kernels.choice import VARIABLE
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.scene import Hands
from im2hands_ros.synthetic.sample import Sample

KERNELS = ("native", "torch")


def models(load: Callable[[], Im2Hands]) -> dict[str, Im2Hands]:
    """The same model with the compiled kernels and in torch. Raises RuntimeError when there are no
    kernels, ValueError for a model that they are not for."""
    loaded = {}
    for kernels in KERNELS:
        # The best kernels that the device has: compiled ones, or Triton's on a GPU.
        with _variable("torch" if kernels == "torch" else ""):
            loaded[kernels] = load()
    if loaded["native"].kernels == "torch":
        raise ValueError("these weights, device and precision have no kernels: nothing to compare")
    return loaded


def compare(loaded: dict[str, Im2Hands], samples: list[Sample], resolution: int) -> dict[str, Any]:
    """Milliseconds of whole frames by either, by turns, and how far apart their surfaces are."""
    times: dict[str, list[float]] = {kernels: [] for kernels in KERNELS}
    for model in loaded.values():
        model.warm_up(resolution)
    before, differences = os.getloadavg()[0], []
    for sample in tqdm(samples, desc=f"{resolution}³ by turns", unit="frame", leave=False):
        image, found = sample.image, {}
        for kernels, model in loaded.items():
            started = time.perf_counter()
            scene = model.encode(image, sample.keypoints, sample.camera)
            found[kernels] = scene.reconstruct(resolution)
            times[kernels].append(1e3 * (time.perf_counter() - started))
        differences += _differences(found["native"], found["torch"])
    row: dict[str, Any] = {kernels: _summary(values) for kernels, values in times.items()}
    for which in ("min", "median"):
        row[f"faster_{which}"] = round(row["torch"][which] / row["native"][which], 2)
    same = [difference for difference in differences if difference is not None]
    row["surfaces"], row["same_triangles"] = len(differences), len(same)
    row["vertices_mm"] = round(max(same, default=0.0), 5)
    row["load"] = [round(value, 2) for value in (before, os.getloadavg()[0])]
    return row


def line(resolution: int, row: dict[str, Any]) -> str:
    """The comparison in words, the ratio last."""
    native, torch = row["native"], row["torch"]
    return (
        f"{resolution}³ against torch: {row['same_triangles']} of {row['surfaces']} surfaces with "
        f"the same triangles, vertices within {row['vertices_mm']} mm; load {row['load']}; ms min "
        f"{native['min']} and {torch['min']}, median {native['median']} and {torch['median']}; "
        f"{row['faster_min']}x, median {row['faster_median']}x"
    )


def _differences(native: Hands, torch: Hands) -> list[float | None]:
    """Of each hand, the furthest distance of vertices, millimetres; None for other triangles."""
    found: list[float | None] = []
    for side, expected in torch.present.items():
        surface = native.present.get(side)
        same = surface is not None and np.array_equal(surface.triangles, expected.triangles)
        if not same or surface is None:
            found.append(None)
        else:
            furthest = np.linalg.norm(surface.vertices - expected.vertices, axis=1).max()
            found.append(1e3 * float(furthest))
    return found


def _summary(values: list[float]) -> dict[str, float]:
    return {"min": round(min(values), 1), "median": round(float(np.median(values)), 1)}


@contextmanager
def _variable(value: str) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = value
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
