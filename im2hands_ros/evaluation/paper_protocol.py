"""Two-hand reconstruction scored as the literature does, on shards with true meshes.

  python -m im2hands_ros.evaluation.paper_protocol --data data/test --out table.json

IoU on the points that the shards store (all of them: `--sampling paper` when converting makes the
published 100,000); Chamfer-L1 and normal consistency between 100,000 samples of either surface,
each from its nearest sample (HALO, 3DV 2021, eval_meshes); joint error after both hands' middle
knuckles are laid on each other and the palm's length is scaled to the true one (IntagHand, CVPR
2022, eval_interhand). Meshes and points are compared where they are, in the camera frame: nothing
is aligned for them. Inside is by winding number, which agrees with the published ray parity except
where a mesh overlaps itself.

Reads shards (SPLIT_*.npz); writes OUT (.json) and its table beside it (.md).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tqdm import tqdm

from im2hands_ros.command_line import add_model_arguments, run_alone
from im2hands_ros.evaluation.inputs import input_of
from im2hands_ros.evaluation.metrics import iou
from im2hands_ros.evaluation.report_file import (
    check_report_path,
    format_row,
    markdown_table,
    write_report,
)
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.scene import HandSurface
from im2hands_ros.skeleton import MIDDLE_MCP, WRIST
from im2hands_ros.synthetic.mesh_queries import MeshQueries
from im2hands_ros.synthetic.sample import Mesh, Sample, present
from im2hands_ros.synthetic.shards import load_shard, split_shards

SURFACE_SAMPLES = 100_000
COLUMNS = {
    "iou": ("IoU (%)", "{:.2f}"),
    "chamfer_mm": ("Chamfer-L1 (mm)", "{:.2f}"),
    "normal_consistency": ("normal consistency", "{:.2f}"),
    "joints_mm": ("joints (mm)", "{:.2f}"),
}
Scores = dict[str, float]


class SampledScores(NamedTuple):
    """Metres: accuracy predicted to true, completeness true to predicted, chamfer their mean."""

    accuracy: float
    completeness: float
    chamfer: float
    normal_consistency: float


def sampled_surface_scores(
    predicted: Mesh, true: Mesh, samples: int = SURFACE_SAMPLES, seed: int = 0
) -> SampledScores:
    """Chamfer-L1 and normal consistency between samples of two surfaces.

    Distances go to the nearest sample, so equal meshes score half the samples' spacing (about
    0.3 mm for a hand), not 0 as in `metrics.surface_scores`.

    Raises ValueError for an empty mesh.
    """
    for name, mesh in (("predicted", predicted), ("true", true)):
        if not len(mesh.triangles):
            raise ValueError(f"the {name} mesh has no triangles; score reconstructed hands only")
    found, found_normals = MeshQueries(predicted).samples(samples, seed)
    wanted, wanted_normals = MeshQueries(true).samples(samples, seed + 1)
    to_true, nearest_true = cKDTree(wanted).query(found)
    to_found, nearest_found = cKDTree(found).query(wanted)
    forth = np.abs((found_normals * wanted_normals[nearest_true]).sum(1)).mean()
    back = np.abs((wanted_normals * found_normals[nearest_found]).sum(1)).mean()
    accuracy, completeness = float(to_true.mean()), float(to_found.mean())
    return SampledScores(
        accuracy, completeness, (accuracy + completeness) / 2, float(forth + back) / 2
    )


def aligned_joint_error(
    predicted: NDArray[np.floating], true: NDArray[np.floating], scaled: bool = True
) -> float:
    """Mean distance of (21, 3) joints in MANO order, metres, the middle knuckles on each other.

    scaled: bring the predicted palm (wrist to middle knuckle) to the true palm's length first.
    """
    found, wanted = predicted - predicted[MIDDLE_MCP], true - true[MIDDLE_MCP]
    if scaled:
        length = np.linalg.norm(found[WRIST])
        found = found * (np.linalg.norm(wanted[WRIST]) / max(float(length), 1e-9))
    return float(np.linalg.norm(found - wanted, axis=1).mean())


def stored_point_iou(mesh: Mesh, points: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """IoU of a mesh's inside and stored labels (N,) at stored points (N, 3) in its frame."""
    return iou(MeshQueries(mesh).contains(points), inside)


def score_hand(sample: Sample, side: str, surface: HandSurface | None) -> Scores:
    """One hand's scores; a hand that was not found has IoU 0 and no others."""
    if surface is None:
        return {"iou": 0.0}
    mesh, joints = Mesh(surface.vertices, surface.triangles), present(sample.keypoints)[side]
    points, inside = present(sample.points)[side], present(sample.occupancy)[side]
    shape = sampled_surface_scores(mesh, sample.mesh_of(side))
    return {
        "iou": 100 * stored_point_iou(mesh, points, inside),
        "chamfer_mm": 1000 * shape.chamfer,
        "normal_consistency": shape.normal_consistency,
        "joints_mm": 1000 * aligned_joint_error(surface.keypoints, joints),
    }


def score_scene(model: Im2Hands, sample: Sample, noise_mm: float, resolution: int) -> list[Scores]:
    """Scores of a sample's hands from its picture and its (noisy) keypoints."""
    given = input_of(sample, noise_mm, near=0)
    scene = model.encode(given.image, given.keypoints, given.camera)
    hands = scene.reconstruct(resolution=resolution, voxel_size=0)
    return [score_hand(sample, side, getattr(hands, side)) for side in present(given.keypoints)]


def mean_scores(scenes: list[list[Scores]]) -> Scores:
    """Means over scenes of each scene's mean over its hands."""
    collected = defaultdict(list)
    for hands in scenes:
        for name in COLUMNS:
            values = [scores[name] for scores in hands if name in scores]
            if values:
                collected[name].append(np.mean(values))
    return {name: round(float(np.mean(values)), 4) for name, values in collected.items()}


def table(rows: dict[str, Scores]) -> str:
    """Markdown: one line per row's name."""
    titles = ["keypoints", *(title for title, _ in COLUMNS.values())]
    cells = [[name, *format_row(scores, COLUMNS)] for name, scores in rows.items()]
    return "\n".join(markdown_table(titles, cells, left=1)) + "\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--data", type=Path, required=True, help="folder of shards")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    add_model_arguments(parser, resolution=128)
    parser.add_argument("--count", type=int, help="how many scenes (all)")
    parser.add_argument(
        "--noise", type=float, default=[0.0], nargs="+", metavar="MM", help="keypoint noise (0)"
    )
    parser.add_argument("--out", type=Path, required=True, help=".json file to write")


def run(args: argparse.Namespace) -> int:
    """Score and write the table; raises FileNotFoundError or ValueError for what is missing."""
    check_report_path(args.out)
    model = Im2Hands.load(args.weights, device=args.device)
    samples = list(islice(_samples(args.data, args.split), args.count))
    rows = {}
    for noise in args.noise:
        name = f"true + {noise:g} mm" if noise else "true"
        scenes = tqdm(samples, desc=name, unit="scene")
        rows[name] = mean_scores([score_scene(model, s, noise, args.resolution) for s in scenes])
    settings = {"scenes": len(samples), "split": args.split, "resolution": args.resolution}
    report = {"settings": settings, "weights": model.record, "scores": rows}
    write_report(args.out, report, table(rows))
    return 0


def _samples(folder: Path, split: str) -> Iterator[Sample]:
    """Those with a hand; shards are read one after the other."""
    for shard in split_shards(folder, split, "python -m im2hands_ros.datasets.interhand"):
        for sample in load_shard(shard):
            if present(sample.keypoints):
                yield sample


def main(arguments: list[str] | None = None) -> int:
    """Run the command; errors are one line."""
    return run_alone(
        "python -m im2hands_ros.evaluation.paper_protocol", __doc__, add_arguments, run, arguments
    )


if __name__ == "__main__":
    sys.exit(main())
