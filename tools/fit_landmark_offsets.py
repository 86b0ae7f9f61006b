"""Fit what moves the landmarks of the conditioned network to where its maps show them.

    python tools/fit_landmark_offsets.py --data data --network told.safetensors --samples a.npz
    python tools/fit_landmark_offsets.py --network told.safetensors --samples *.npz --out OUT

In training scenes (`im2hands synthesize`, `tools/overlay_hands.py`) both hands are looked at from a
rough idea of where they are, then once more as the detector does. --samples keeps what the maps
show around each landmark of the second look, and how far off it is; without --data they are read.
OUT holds the network and the classifier of --network, and the stage ``offsets``.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from fit_second_hand import networks, scenes
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.landmark_encoder import (
    ConditionedEncoder,
    Look,
    as_input,
    hints_of,
    region_at,
)
from im2hands_ros.networks.compact.landmark_offsets import (
    SHOWN,
    LandmarkOffsets,
    around_landmarks,
)
from im2hands_ros.networks.compact.landmark_regions import cut_out, moved
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.training.photograph_errors import photographed

TURNS = (0.0, 15.0, -15.0)
# Of the first idea: radians, logarithm of the size, and of the hand's extent.
TURNED, SIZED, SHIFTED, SHAKEN = 0.1, 0.07, 0.03, 0.03
SMALLEST = 60.0  # pixels of a hand's extent
LOST = 30.0  # pixels of the crop: the network looks at something else
KEPT, COUNTED = 256, 8000  # combinations of what is shown, and landmarks that they are found from
DROPPED, DECAY, RATE, BATCH = 0.15, 0.02, 2e-3, 64
SOFT = 0.25  # square of pixels
# Of the offsets, that are believed: real skin differs from most of what they are fitted on.
BELIEVED = 0.7


class Samples(NamedTuple):
    """features (N, 21, inputs), and off: (N, 21, 2) from the landmark to the truth, along its bone
    and across it, pixels of the crop."""

    features: NDArray[np.float16]
    off: NDArray[np.float32]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with train/*.npz")
    parser.add_argument("--network", type=Path, required=True, help="weights file of the network")
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="written, or read")
    parser.add_argument("--out", type=Path, help="weights file to write")
    parser.add_argument("--count", type=int, default=2000, help="scenes (2000)")
    parser.add_argument("--start", type=int, default=0, help="first shard, and seed (0)")
    parser.add_argument("--step", type=int, default=1, help="of the shards every nth (1)")
    parser.add_argument("--epochs", type=int, default=24, help="of fitting (24)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.data:
        samples = collected(given)
        np.savez(given.samples[0], features=samples.features, off=samples.off)
    else:
        files = [np.load(path) for path in given.samples]
        samples = Samples(*(np.concatenate([f[n] for f in files]) for n in Samples._fields))
    if given.out:
        tensors, record = checkpoints.read(given.network)
        layers = fitted(samples, given.epochs)
        made = {"command": "python tools/fit_landmark_offsets.py", "hands": len(samples.off)}
        state = {k: v for k, v in tensors.items() if not k.startswith("offsets.")}
        state |= {f"offsets.{k}": v.half().contiguous() for k, v in layers.state_dict().items()}
        checkpoints.write(state, given.out, record | {"offsets": made | {"epochs": given.epochs}})


def collected(given: argparse.Namespace) -> Samples:
    """What is seen in --count scenes."""
    network, rng = networks(given.network), np.random.default_rng(given.start)
    rows = []
    for scene in islice(scenes(given.data, given.start, given.step), given.count):
        rows += seen_in(scene, network, rng)
    features, off = zip(*rows, strict=True)
    return Samples(np.concatenate(features), np.concatenate(off))


def seen_in(
    sample: Sample, network: ConditionedEncoder, rng: np.random.Generator
) -> list[tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """The hands of a scene, as in `Samples`; none where one is too small."""
    true = {s: sample.camera.project(xyz) for s, xyz in present(sample.keypoints).items()}
    if min(extent(hand) for hand in true.values()) < SMALLEST:
        return []
    image = sample.image
    if sample.kind != "overlaid":  # that is a photograph
        image = photographed(image.copy(), sample.mask, rng)
    once = network.see(image, {side: disturbed(hand, rng) for side, hand in true.items()})
    joints, turn = {side: hand.pixels for side, hand in once.items()}, float(rng.choice(TURNS))
    looks = [Look(side, joints, turn) for side in joints]
    regions = [region_at(look) for look in looks]
    hints = hints_of(looks, regions, torch.device("cpu"))
    crops = np.stack([cut_out(image, region) for region in regions])
    with torch.inference_mode():
        seen, spread = network.network(as_input(crops, torch.device("cpu")), hints)
        around = around_landmarks(seen, spread, hints)
    places = [moved(true[look.side], r) for look, r in zip(looks, regions, strict=True)]
    off = torch.tensor(np.stack(places), dtype=torch.float32) - seen.landmarks[..., :2]
    along = torch.einsum("bjkd,bjd->bjk", around.axes, off)
    return [(around.features.half().numpy(), along.numpy())]


def extent(joints: NDArray[np.float64]) -> float:
    """Of (21, 2) joints, the diagonal of their box."""
    return float(np.linalg.norm(np.ptp(joints, axis=0)))


def disturbed(joints: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A rough idea of (21, 2) joints."""
    angle, size, middle = rng.normal(0, TURNED), np.exp(rng.normal(0, SIZED)), joints.mean(0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    off = rng.normal(0, SHIFTED, 2) + rng.normal(0, SHAKEN, joints.shape)
    return (joints - middle) @ (size * turn).T + middle + off * extent(joints)


def fitted(samples: Samples, epochs: int) -> LandmarkOffsets:
    """The layers, of features as they are."""
    near = np.linalg.norm(samples.off, axis=-1).mean(1) < LOST
    off = torch.from_numpy(samples.off[near])
    features = torch.from_numpy(samples.features[near])
    weight, bias = combinations(features)
    inputs = torch.cat([part.float() @ weight + bias for part in features.split(256)])
    layers = LandmarkOffsets(inputs.shape[-1])
    rates = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=DECAY)
    steps = epochs * (len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(rates, RATE, total_steps=steps)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(BATCH)[: len(inputs) // BATCH]:
            shown = torch.nn.functional.dropout(inputs[rows], DROPPED)
            error, loss = loss_of(*layers.read(shown), off[rows])
            rates.zero_grad()
            loss.backward()
            rates.step()
            schedule.step()
            total += float(error)
        print(f"epoch {epoch + 1}: {total * BATCH / len(inputs):.3f} pixels", flush=True)
    return folded(layers, weight, bias)


def loss_of(found: Tensor, size: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance, and the negative logarithm of its probability."""
    error = ((found - off).square().sum(-1) + SOFT).sqrt()
    return error.detach().mean(), (error / size.exp() + 2 * size).mean()


def combinations(features: Tensor) -> tuple[Tensor, Tensor]:
    """(inputs, N) and (N,): of what is shown the principal components, of unit size; the rest as it
    is, of unit size."""
    some = features.flatten(0, 1)
    some = some[torch.randperm(len(some))[:COUNTED]].float()
    middle, scale = some.mean(0), some.std(0) + 1e-3
    shown = ((some - middle) / scale)[:, :SHOWN]
    axes, sizes, _ = torch.linalg.svd(shown.T @ shown / len(shown))
    main = axes[:, :KEPT] / sizes[:KEPT].sqrt().clamp_min(0.05)
    weight = torch.block_diag(main, torch.eye(features.shape[-1] - SHOWN)) / scale[:, None]
    return weight, -middle @ weight


def folded(layers: LandmarkOffsets, weight: Tensor, bias: Tensor) -> LandmarkOffsets:
    """The same layers for features, not for combinations of them."""
    whole, first = LandmarkOffsets(len(weight)), layers.landmark
    state = layers.state_dict()
    state["landmark.weight"] = first.weight.detach() @ weight.T
    state["landmark.bias"] = first.bias.detach() + first.weight.detach() @ bias
    state["own_offset"] = BELIEVED * state["own_offset"]
    size = torch.tensor([BELIEVED, BELIEVED, 1.0])  # what may be off is as it was
    state["offset.weight"] = size[:, None] * state["offset.weight"]
    state["offset.bias"] = size * state["offset.bias"]
    whole.load_state_dict(state)
    return whole


if __name__ == "__main__":
    main()
