"""Times one frame of the paper preset and in the published order of work, in one run.

    PYTHONPATH=. python test/bench_published_order.py [THREADS]

Both get the same crop, keypoints and weights (octahedra of a hand's surface area; all work of a
trained network is done) and find both hands' refined surfaces with cells of 1.7 mm: the published
search from 32 to 256 cells in its box of 0.44 m, ours in the smaller box that it chooses itself.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from octahedra import octahedra
from published_order import BOX_SIDE, initial, refined, search_both
from two_hands import CAMERA, keypoints, picture

from im2hands_ros.evaluation.machine import describe
from im2hands_ros.pipeline import Im2Hands, Scene
from im2hands_ros.surface.anchors import points_on_surface
from im2hands_ros.surface.boxes import SearchBoxes

RADIUS = 0.08  # an octahedron of 440 cm2
CELL = BOX_SIDE / 256


def main() -> None:
    """Print a JSON report."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads()
    torch.set_num_threads(threads)
    network = octahedra(RADIUS)
    report: dict[str, object] = {"machine": describe(torch.device("cpu")), "threads": threads}
    for precision in (torch.bfloat16, torch.float32):
        model = Im2Hands(network, torch.device("cpu"), precision, {})
        scene, report[f"fast_{precision}".replace("torch.", "")] = our_frame(model)
    report["slow_s"], report["slow_points"] = published_frame(model, scene)
    report["slow_cell_mm"] = 1e3 * CELL
    print(json.dumps(report, indent=1))


def our_frame(model: Im2Hands) -> tuple[Scene, dict[str, object]]:
    """A frame after a warm-up, at the published search's size of cells or a little finer."""
    scene = model.encode(picture(), keypoints(), CAMERA)
    scene.reconstruct(resolution=32, voxel_size=0)
    side = float(SearchBoxes.around(scene._context.hands.joints_palm).side.max())
    resolution = 16 * int(np.ceil(side / CELL / 16))
    started = time.perf_counter()
    scene = model.encode(picture(), keypoints(), CAMERA)
    hands = scene.reconstruct(resolution=resolution, voxel_size=0)
    return scene, {
        "seconds": time.perf_counter() - started,
        "resolution": resolution,
        "cell_mm": 1e3 * side / resolution,
        "stages_ms": hands.timings_ms,
    }


@torch.inference_mode()
def published_frame(model: Im2Hands, scene: Scene) -> tuple[float, list[int]]:
    """Seconds for both stages, and points asked for per round of both hands' last search."""
    network, context = model._refined, scene._context
    image, hands = torch.zeros(1, 3, 256, 256), context.hands
    started = time.perf_counter()
    grids = search_both(lambda palm: initial(network.initial, image, hands, palm), 0.5)
    anchors = []
    for hand, grid in enumerate(grids):
        surface = grid.surface()
        points = points_on_surface(surface.vertices, surface.triangles, 512)
        palm = torch.zeros(2, 512, 3)
        palm[hand] = torch.from_numpy((points - 0.5) * BOX_SIDE)
        anchors.append(hands.camera_from_palm(palm)[hand])
    there = torch.stack(anchors)
    grids = search_both(
        lambda palm: refined(network, image, hands, context.intrinsics, there, palm), 0.5
    )
    for grid in grids:
        grid.surface()
    counts = [sum(pair) for pair in zip(*(grid.counts for grid in grids), strict=False)]
    return time.perf_counter() - started, counts


if __name__ == "__main__":
    main()
