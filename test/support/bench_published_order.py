"""Times one frame of the paper preset and of the reference implementation, in one run.

    PYTHONPATH=. python test/support/bench_published_order.py [THREADS [ROUNDS]] | tee report.json

Both get the same crop, keypoints and weights (octahedra of a hand's surface area; all work of a
trained network is done) and find both hands' refined surfaces with cells of 1.7 mm: the published
search from 32 to 256 cells in its box of 0.44 m, ours in the smaller box that it chooses itself.
The two take turns. On a machine that others use too, the processor's time is the fair measure: run
with one thread then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from mise import DenseGrid
from octahedra import octahedra
from published_order import BOX_SIDE, initial, refined, search_both
from torch import Tensor
from two_hands import CAMERA, keypoints, picture

from im2hands_ros.networks.paper.networks import PaperNetworks
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.paper.surface_anchors import points_on_surface
from im2hands_ros.pipeline import Im2Hands, Scene
from im2hands_ros.provenance import describe
from im2hands_ros.surface.boxes import SearchBoxes

RADIUS = 0.08  # an octahedron of 440 cm2
CELL = BOX_SIDE / 256
OURS_PER_ROUND = 2

T = TypeVar("T")


def main() -> None:
    """Print a JSON report, once more after every round."""
    threads, rounds = (int(word) for word in (*sys.argv[1:], *"12"[len(sys.argv) - 1 :]))
    torch.set_num_threads(threads)
    network = octahedra(RADIUS)
    models = {
        name: Im2Hands(PaperNetworks(network), torch.device("cpu"), kind, {})
        for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in (*models, "published")}
    report: dict[str, object] = {"machine": describe(torch.device("cpu")), "threads": threads}
    load = []
    for _ in range(rounds):
        load.append(os.getloadavg()[0])
        for name, model in models.items():
            scene, report[name] = our_frame(model)  # to warm up
            for _ in range(OURS_PER_ROUND):
                timed(partial(our_frame, model), times[name])
        report["published"] = timed(partial(published_frame, network, scene), times["published"])
        report |= {"load": load, "seconds": summary(times)}
        report["times_faster"] = {name: faster(times["published"], times[name]) for name in models}
        print(json.dumps(report, indent=1), flush=True)


def timed(work: Callable[[], T], times: list[tuple[float, float]]) -> T:
    """Append the seconds that passed and the processor's seconds."""
    wall, busy = time.perf_counter(), time.process_time()
    result = work()
    times.append((time.perf_counter() - wall, time.process_time() - busy))
    return result


def summary(times: dict[str, list[tuple[float, float]]]) -> dict[str, object]:
    """Medians of all, and all."""
    return {
        name: {
            "wall": round(median(wall for wall, _ in measured), 3),
            "processor": round(median(busy for _, busy in measured), 3),
            "all": [[round(value, 3) for value in pair] for pair in measured],
        }
        for name, measured in times.items()
    }


def faster(slow: list[tuple[float, float]], fast: list[tuple[float, float]]) -> dict[str, float]:
    """Ratio of the medians, by wall clock and by the processor's time."""
    kinds = ("wall", "processor")
    ratios = [median(t[i] for t in slow) / median(t[i] for t in fast) for i in range(len(kinds))]
    return {kind: round(ratio, 2) for kind, ratio in zip(kinds, ratios, strict=True)}


def our_frame(model: Im2Hands) -> tuple[Scene, dict[str, object]]:
    """A frame at the published search's size of cells or a little finer."""
    scene = model.encode(picture(), keypoints(), CAMERA)
    side = float(SearchBoxes.around(scene._context.hands.joints_palm).side.max())
    resolution = 16 * int(np.ceil(side / CELL / 16))
    evaluated = []
    search = scene._search

    def counted(*arguments):
        cells = search(*arguments)
        evaluated.append(cells.evaluated)
        return cells

    scene._search = counted
    hands = scene.reconstruct(resolution=resolution, voxel_size=0)
    return scene, {
        "resolution": resolution,
        "cell_mm": round(1e3 * side / resolution, 3),
        "evaluated_initial": evaluated[0],
        "evaluated_refined": evaluated[1],
        "stages_ms": {name: round(value, 1) for name, value in hands.timings_ms.items()},
    }


@torch.inference_mode()
def published_frame(network: PaperRefinedOccupancy, scene: Scene) -> dict[str, object]:
    """Both stages; returns the points evaluated per round, both hands together."""
    image, context = torch.zeros(1, 3, 256, 256), scene._context
    hands = context.hands
    first = search_both(lambda palm: initial(network.initial, image, hands, palm), 0.5)
    there = torch.stack([anchors_on(grid, hands, number) for number, grid in enumerate(first)])
    second = search_both(
        lambda palm: refined(network, image, hands, context.initial.intrinsics, there, palm), 0.5
    )
    for grid in second:
        grid.surface()
    return {
        "cell_mm": round(1e3 * CELL, 3),
        "evaluated_initial": sum(sum(grid.counts) for grid in first),
        "evaluated_refined": sum(sum(grid.counts) for grid in second),
        "rounds": [sum(pair) for pair in zip(*(grid.counts for grid in second), strict=False)],
    }


def anchors_on(grid: DenseGrid, hands, number: int) -> Tensor:
    """(512, 3) points on a hand's surface, camera frame."""
    surface = grid.surface()
    points = points_on_surface(surface.vertices, surface.triangles, 512)
    palm = torch.zeros(2, 512, 3)
    palm[number] = torch.from_numpy((points - 0.5) * BOX_SIDE)
    return hands.camera_from_palm(palm)[number]


if __name__ == "__main__":
    main()
