"""Compares the Triton kernel's logits of one drawn scene with torch's: triton_logits.py SCENE."""

from __future__ import annotations

import sys

import torch
from device_twins import SIZES, blocks_of
from kernel_twins import CLOSE, drawn_context, fully_corrected, points_around, trained

from im2hands_ros.kernels.gpu.field import DeviceField, TritonField
from im2hands_ros.networks.compact import packing

COUNT = 100
SCENES = {
    "two hands": lambda: drawn_context(),
    "two hands apart": lambda: drawn_context(0),
    "a left hand": lambda: drawn_context(sides=("left",)),
    "all corrections": lambda: fully_corrected(drawn_context()),
    "no refinement": lambda: drawn_context().initial,
}


@torch.no_grad()
def main(scene: str) -> None:
    torch.set_num_threads(1)
    context, networks = SCENES[scene](), trained()
    alone = scene == "no refinement"
    weights = packing.weights(networks.initial, None if alone else networks.refinement)
    blocks = blocks_of(drawn_context() if alone else context)
    if alone:
        blocks = blocks._replace(anchors=None)
    field = DeviceField(TritonField(torch.from_numpy(weights), SIZES), blocks)
    points = points_around(context, COUNT)
    expected = context.logits(points)
    assert (expected.abs() < 5).float().mean() > 0.2
    assert (field(points) - expected).abs().max() < CLOSE
    last = len(points) - 1
    one = field[last : last + 1](points[last:, :TILE_AND_A_BIT])
    assert (one - expected[last:, :TILE_AND_A_BIT]).abs().max() < CLOSE
    print("same")


TILE_AND_A_BIT = 70

if __name__ == "__main__":
    main(sys.argv[1])
