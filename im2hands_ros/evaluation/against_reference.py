"""A frame of ours against the published order of work: same weights, same frame, by turns."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from im2hands_ros.evaluation.reference.frame import ReferenceFrame, reference_of
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.scene import Hands
from im2hands_ros.surface.boxes import SearchBoxes
from im2hands_ros.synthetic.sample import Sample

# Frames of ours beside one of the reference, before and after it.
_TURNS = 2


def compare(
    model: Im2Hands, twin: Im2Hands, samples: list[Sample], resolution: int
) -> dict[str, Any]:
    """Milliseconds of whole frames without voxels, by turns, and both surfaces' volumes.

    Args:
        model: ours. twin: the same weights without compiled kernels, for the reference.
        resolution: cells per side of our boxes; the reference's cells are at least as large.
    """
    model.warm_up(resolution)
    reference = reference_of(twin)
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    volumes: dict[str, list[float]] = {"ours": [], "reference": []}
    before, cell, found = os.getloadavg()[0], 0.0, ReferenceFrame(0, 0, [])
    for sample in tqdm(samples, desc=f"{resolution}³ by turns", unit="frame", leave=False):
        image = sample.image
        for turn in range(_TURNS):
            started = time.perf_counter()
            scene = model.encode(image, sample.keypoints, sample.camera)
            hands = scene.reconstruct(resolution, voxel_size=0)
            times["ours"].append(1e3 * (time.perf_counter() - started))
            if turn == 0:
                cell = _box_side(model, hands) / resolution
                started = time.perf_counter()
                found = reference(image, sample.keypoints, sample.camera, cell)
                times["reference"].append(1e3 * (time.perf_counter() - started))
        volumes["ours"].append(_cubic_cm(list(hands.present.values())))
        volumes["reference"].append(_cubic_cm([mesh for mesh in found.meshes if mesh]))
    row: dict[str, Any] = {
        name: {
            "min": round(min(values), 1),
            "median": round(float(np.median(values)), 1),
            "volume_cm3": round(float(np.mean(volumes[name])), 1),
        }
        for name, values in times.items()
    }
    row["ours"]["cell_mm"] = round(1e3 * cell, 3)
    row["reference"] |= {"resolution": found.resolution, "points": found.points}
    row["frames"] = len(samples)
    row["load"] = [round(value, 2) for value in (before, os.getloadavg()[0])]
    for which in ("min", "median"):
        row[f"faster_{which}"] = round(row["reference"][which] / row["ours"][which], 2)
    return row


def line(resolution: int, row: dict[str, Any]) -> str:
    """The comparison in words, the ratio last."""
    ours, reference = row["ours"], row["reference"]
    return (
        f"{resolution}³ against the published order of work: cells of {ours['cell_mm']} mm, volume "
        f"{ours['volume_cm3']} and {reference['volume_cm3']} cm³; load {row['load']}; ms min "
        f"{ours['min']} and {reference['min']}, median {ours['median']} and "
        f"{reference['median']}; {row['faster_min']}x, median {row['faster_median']}x"
    )


def _box_side(model: Im2Hands, hands: Hands) -> float:
    """Of the larger box that the hands were searched in, metres."""
    joints = np.stack([surface.keypoints for surface in hands.present.values()])
    mirrored = torch.tensor([side == "left" for side in hands.present], device=model.device)
    frames = model.networks.canonicalise(torch.from_numpy(joints).to(model.device), mirrored)
    return float(SearchBoxes.around(frames.joints_palm).side.max())


def _cubic_cm(meshes: list[Any]) -> float:
    """The volume in closed surfaces of both hands together; a mirrored one's is negative."""
    return 1e6 * sum(abs(_volume(mesh.vertices, mesh.triangles)) for mesh in meshes)


def _volume(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> float:
    corners = (vertices - vertices.mean(0)).astype(np.float64)[triangles]
    return float(np.linalg.det(corners).sum()) / 6
