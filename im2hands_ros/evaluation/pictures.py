"""Pictures of evaluated scenes: image, true hands, reconstruction, and both from another side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import crop_around
from im2hands_ros.evaluation.inputs import EvaluationInput
from im2hands_ros.evaluation.methods import Method
from im2hands_ros.evaluation.scoring import Scores
from im2hands_ros.synthetic.renderer import render_hands_over, render_hands_turned
from im2hands_ros.synthetic.sample import Mesh, Sample, present

SIDE_VIEW = (75.0, 0.0)  # degrees about the vertical axis, and from above
TILE, MARGIN = 360, 0.15
Image = NDArray[np.uint8]
Hands = dict[str, Mesh]


def save_ranked(
    folder: Path,
    method: Method,
    samples: list[Sample],
    inputs: list[EvaluationInput],
    scores: list[Scores],
) -> list[Path]:
    """Write best.png, median.png and worst.png, ranked by the scenes' mean IoU.

    inputs, scores: what the method was given of each sample, and how it did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort([-np.mean(score["iou"]) for score in scores], kind="stable")
    ranks = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    paths = []
    for name, index in ranks.items():
        sample = samples[index]
        title = f"{name}: {sample.kind}, IoU {np.mean(scores[index]['iou']):.3f}"
        hands = method([inputs[index]])[0].hands
        found = present({side: hand.mesh for side, hand in hands.items()})
        path = folder / f"{name}.png"
        picture = panel(sample, found, f"{title}, seed {sample.seed}")
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        paths.append(path)
    return paths


def panel(sample: Sample, found: Hands, title: str) -> Image:
    """(H, W, 3) uint8 RGB: image, truth and reconstruction over it, both from the side."""
    true = {side: sample.mesh_of(side) for side in present(sample.keypoints)}
    everything = np.concatenate([mesh.vertices for mesh in true.values()])
    crop = crop_around(sample.camera, everything, TILE, MARGIN)
    image = crop.extract(sample.image)
    tiles = {
        "image": image,
        "truth": render_hands_over(image, true, crop.camera),
        "reconstruction": render_hands_over(image, found, crop.camera),
        "truth, side": render_hands_turned(true, TILE, SIDE_VIEW, MARGIN, everything),
        "reconstruction, side": render_hands_turned(found, TILE, SIDE_VIEW, MARGIN, everything),
    }
    row = np.concatenate([_labelled(tile, name) for name, tile in tiles.items()], axis=1)
    return np.concatenate([_caption(title, row.shape[1]), row])


def _labelled(tile: Image, name: str) -> Image:
    tile = np.ascontiguousarray(tile)
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(tile, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
    return tile


def _caption(title: str, width: int) -> Image:
    strip = np.full((24, width, 3), 255, np.uint8)
    cv2.putText(strip, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
