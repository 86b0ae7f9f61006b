"""Fit the classifier that tells a second hand from what only looks like one (`SeenHand.fits`).

    python tools/fit_second_hand.py --data data --network told.safetensors --out OUT --count 1000

In training scenes (`im2hands synthesize`, `tools/overlay_hands.py`) one hand is found, and all
candidates for the other one are looked at as `detection/second_hand.py` does. The network's codes
of those looks, and whether the joints lie on the other hand, are fitted by logistic regression.
OUT holds that network and the classifier. --codes keeps what was seen, to go on or to put
together several runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from im2hands_ros.detection.hand_pairs import landmarks_of
from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.palms import PalmDetector
from im2hands_ros.detection.second_hand import candidates, looked_at, other_side
from im2hands_ros.detection.views import PICTURE_ROUNDS, picture_views
from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder
from im2hands_ros.networks.compact.landmark_network import CODE_WIDTH
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import load_shard

ON_THE_HAND = 0.25  # of its extent, on the average
FIRST = (0.2, 0.3)  # the same of the first hand, at most, and its presence, at least
OF_A_SHARD = 20
SPREAD = 3.0  # of the codes' normalised sum; only sets what --decay means

Codes = tuple[NDArray[np.float32], NDArray[np.float32]]


def scenes(folder: Path, start: int, step: int) -> Iterator[Sample]:
    """Some of every shard, at random."""
    rng = np.random.default_rng(start)
    for path in sorted((folder / "train").glob("*.npz"))[start::step]:
        samples = load_shard(path)
        yield from (samples[int(k)] for k in rng.permutation(len(samples))[:OF_A_SHARD])


def found_in(
    image: NDArray[np.uint8], palms: PalmDetector, network: ConditionedEncoder
) -> list[Landmarks]:
    """What the first rounds of a search see."""
    found: list[Landmarks] = []
    for turns in PICTURE_ROUNDS[:2]:
        seen = palms(image, picture_views(image.shape[:2], turns))[:4]
        found += [landmarks_of(it) for it in network.alone(image, [palm.region for palm in seen])]
    return found


def candidates_of(sample: Sample, palms: PalmDetector, network: ConditionedEncoder) -> Codes | None:
    """Of what a search would look at beside the hand that it finds best, codes and truth; None: it
    finds none."""
    true = {s: sample.camera.project(xyz) for s, xyz in present(sample.keypoints).items()}

    def off(pixels: NDArray[np.float64], side: str) -> float:
        extent = np.linalg.norm(np.ptp(true[side], axis=0))
        return float(np.linalg.norm(pixels - true[side], axis=1).mean() / extent)

    found = found_in(sample.image, palms, network)
    likely = [(off(hand.pixels, s), s, hand) for hand in found for s in true]
    likely = [it for it in likely if it[0] < FIRST[0] and it[2].presence > FIRST[1]]
    if not likely:
        return None
    _, side, first = min(likely, key=lambda it: it[0])
    joints = candidates(first, side, found)
    codes: list[NDArray[np.float32]] = []
    hook = network.fits.register_forward_pre_hook(lambda _, given: codes.append(given[0].numpy()))
    seen = looked_at(network, sample.image, side, first, joints, kept=len(joints))
    hook.remove()
    other, scores = other_side(side), network.fits(torch.from_numpy(codes[-1]))[:, 0]
    # The last looks come back in the order of their scores.
    last = codes[-1][scores.argsort(descending=True).numpy()]
    on = [other in true and off(hand.pixels, other) < ON_THE_HAND for hand in seen]
    return last, np.array(on, np.float32)


def fitted(codes: Codes, decay: float) -> nn.Linear:
    """The classifier, of codes as they are."""
    x, y = (torch.from_numpy(array).double() for array in codes)
    width = x.shape[1]
    middle, scale = x.mean(0), (x.std(0) + 1e-6) * np.sqrt(width) / SPREAD
    x = (x - middle) / scale
    weight = torch.zeros(width, dtype=x.dtype, requires_grad=True)
    bias = torch.zeros((), dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        error = F.binary_cross_entropy_with_logits(x @ weight + bias, y)
        error = error + decay * weight.square().sum()
        error.backward()
        return error

    optimiser.step(loss)
    layer = nn.Linear(width, 1)
    with torch.no_grad():
        layer.weight.copy_((weight / scale)[None])
        layer.bias.copy_(bias - (weight * middle / scale).sum())
    return layer


def networks(path: Path) -> ConditionedEncoder:
    """The network of a weights file, and its classifier where it holds one."""
    network, fits = ConditionedLandmarks(), nn.Linear(CODE_WIDTH, 1)
    tensors, _ = checkpoints.read(path)
    for name, part in (("landmarks.", network), ("fits.", fits)):
        state = {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}
        if state or part is network:
            part.load_state_dict(state)
    return ConditionedEncoder(network, fits)


def collected(given: argparse.Namespace) -> Codes:
    """Codes of the candidates in --count scenes."""
    network, palms = networks(given.network), PalmDetector.load()
    rows: list[Codes] = []
    for seen, sample in enumerate(islice(scenes(given.data, given.start, given.step), given.count)):
        it = candidates_of(sample, palms, network)
        if it is not None:
            rows.append(it)
        if seen % 50 == 49:
            print(f"{seen + 1} scenes, {sum(len(y) for _, y in rows)} candidates", flush=True)
    codes, on = zip(*rows, strict=True)
    return np.concatenate(codes), np.concatenate(on)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with train/*.npz")
    parser.add_argument("--network", type=Path, required=True, help="the network's weights")
    parser.add_argument("--out", type=Path, help="weights file to write")
    parser.add_argument("--codes", type=Path, nargs="*", default=[], help="written, or read")
    parser.add_argument("--count", type=int, default=1000, help="scenes (1000)")
    parser.add_argument("--start", type=int, default=0, help="first shard (0)")
    parser.add_argument("--step", type=int, default=1, help="of the shards every nth (1)")
    parser.add_argument("--decay", type=float, default=3e-5, help="of the weights (3e-5)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.data:
        codes = collected(given)
        for path in given.codes:
            np.savez(path, codes=codes[0].astype(np.float16), on=codes[1])
    else:
        files = [np.load(path) for path in given.codes]
        codes = (
            np.concatenate([file["codes"].astype(np.float32) for file in files]),
            np.concatenate([file["on"] for file in files]),
        )
    if given.out:
        tensors, record = checkpoints.read(given.network)
        layer = fitted(codes, given.decay)
        made = {"command": "python tools/fit_second_hand.py", "decay": given.decay}
        made |= {"candidates": len(codes[1]), "hands": int(codes[1].sum())}
        state = {k: v for k, v in tensors.items() if not k.startswith("fits.")}
        state |= {f"fits.{k}": v.half().contiguous() for k, v in layer.state_dict().items()}
        checkpoints.write(state, given.out, record | {"fits": made})
        print(made)


if __name__ == "__main__":
    main()
