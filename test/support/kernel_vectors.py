"""Writes what torch computes of a drawn frame, for test/kernels/*equality.cpp on another processor.

One file: each array is its number of elements (int64) and the elements, float32, float64 or int64.
"""

from __future__ import annotations

import sys
from pathlib import Path

import depth_vectors
import layer_vectors
import numpy as np
import torch
from kernel_twins import (
    boxes_and_bones,
    drawn_context,
    fully_corrected,
    image_of,
    points_around,
    trained,
)

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.compact import packing
from im2hands_ros.surface.pruned_search import PrunedSearch

RESOLUTION, POINTS = 32, 600


def arrays() -> list[np.ndarray]:
    """In the order that equality.cpp reads."""
    context, networks = fully_corrected(drawn_context()), trained()
    points = points_around(context, POINTS)
    boxes, bones, reach = boxes_and_bones(context)

    def field(places, valid):
        return context.logits(boxes.palm_from_box(places))

    found = PrunedSearch(RESOLUTION, 2, "cpu")(field, 0.0, bones, reach)
    count, pixels = context.memory.positions.shape[1], context.initial.pixels.shape[2:]
    joints = context.hands.camera_from_palm(context.hands.joints_palm)
    frames = canonicalise(joints, context.hands.mirrored)
    sizes = [2, *pixels, context.initial.memory.keys.shape[2], count, RESOLUTION, bones.shape[1]]
    return [
        np.array(sizes, np.int64),
        packing.weights(networks.initial, networks.refinement),
        packing.image(networks.initial, image_of(context.initial)),
        packing.hands(context.initial),
        packing.anchors(context),
        points.numpy(),
        context.initial.logits(points).numpy(),
        context.logits(points).numpy(),
        context.initial.logits_around(points, 0.001).numpy(),
        torch.cat([boxes.origin, boxes.side[:, None]], 1).numpy(),
        bones.numpy(),
        np.array([reach], np.float32),
        *(cells.numpy() for cells in found.cells),
        joints.numpy(),
        context.hands.mirrored.numpy().astype(np.int64),
        torch.cat([part.flatten(1) for part in frames[:-1]], 1).numpy(),
        *layer_vectors.arrays(found),
        *depth_vectors.arrays(),
    ]


def main() -> None:
    with Path(sys.argv[1]).open("wb") as file, torch.no_grad():
        for array in arrays():
            assert array.dtype in (np.float32, np.float64, np.int64)
            file.write(np.int64(array.size).tobytes() + np.ascontiguousarray(array).tobytes())


if __name__ == "__main__":
    main()
