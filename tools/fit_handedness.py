#!/usr/bin/env python3
"""Fit `anatomy.HEIGHT_WEIGHTS`: which side a hand is of, by how far its joints lie from the palm.

Reads
  the packaged hand, and made-up people of it, in drawn motions with noise and flattened depths
Writes
  the weights, as the module has them, and how often a frame, and a mean of ten, is wrong
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from im2hands_ros.anatomy import palm_heights
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.synthetic.people import person

_SECONDS, _RATE, _MEAN_OF = 4.0, 7.5, 10
_NOISE, _FLATNESS = (0.0, 0.002, 0.004, 0.008, 0.012), (1.0, 0.6, 0.3)
_DECAY = 1e-4


def tracks(first: int, people: int) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """+1 for right and -1 for left hands, and their (T, 21, 3) joints."""
    with TemporaryDirectory() as folder, np.load(ASSET) as asset:
        for seed in range(first, first + people):
            file = Path(folder) / f"{seed}.npz"
            np.savez(file, **person(dict(asset), seed))
            motion = draw_motion(_SECONDS, seed, _RATE, asset=file)
            for side in SIDES:
                yield (1.0 if side == "right" else -1.0), motion.keypoints[side]


def fitted(people: int) -> NDArray[np.float64]:
    """(18,) weights of the heights' logarithmic odds."""
    random, heights, signs = np.random.default_rng(0), [], []
    for sign, joints in tracks(50_000, people):
        for noise in _NOISE:
            for flat in _FLATNESS:
                middle = joints[..., 2:].mean(1, keepdims=True)
                flattened = np.dstack([joints[..., :2], middle + flat * (joints[..., 2:] - middle)])
                noisy = flattened + random.normal(0, noise, joints.shape)
                heights += [palm_heights(each) for each in noisy]
                signs += [sign] * len(noisy)
    given, right = torch.tensor(np.array(heights)), torch.tensor(signs, dtype=torch.float64)
    weights = torch.zeros(given.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.softplus(-right * (given @ weights)).mean() + _DECAY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return weights.detach().numpy()


def main() -> None:
    """Fit, check on other people, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=36, help="motions to fit (36)")
    weights = fitted(parser.parse_args().people).round(1)
    print(", ".join(map(str, weights.tolist())))
    random = np.random.default_rng(1)
    for noise in (0.0, 0.008, 0.015):
        single, means = [], []
        for sign, joints in tracks(60_000, 12):
            noisy = joints + random.normal(0, noise, joints.shape)
            odds = sign * np.array([palm_heights(each) @ weights for each in noisy])
            single += odds.tolist()
            means += np.convolve(odds, np.full(_MEAN_OF, 1 / _MEAN_OF), "valid").tolist()
        wrong, least = float(np.mean(np.array(single) < 0)), min(means)
        print(
            f"noise {1e3 * noise:.0f} mm: {wrong:.2%} of frames wrong, means of ten {least:.1f} up"
        )


if __name__ == "__main__":
    main()
