"""Fit the weights of `detection.belonging`: which joints that the detector judges lie on a hand.

    python tools/fit_belonging.py --count 1520 --shards data/photo/train_0000*.npz

searches whole camera pictures of split train, and those of shards (`tools/overlay_hands.py`), and
judges whatever is elected, and every candidate beside a hand that is alone: prints WEIGHTS of the
ones and SECOND_WEIGHTS of the others, by logistic regression.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from fit_second_hand import ON_THE_HAND, Codes, fitted
from numpy.typing import NDArray

from im2hands_ros.detection import HandDetector, hand_pairs
from im2hands_ros.detection.belonging import SECOND_WEIGHTS, THERE, WEIGHTS, observations
from im2hands_ros.detection.landmarks import FloatArray
from im2hands_ros.networks.compact.landmark_encoder import SeenHand
from im2hands_ros.synthetic.camera_pictures import camera_pictures
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import load_shard

DECAY = 3e-3
START = 7_000_000  # of split train


class Judge:
    """In place of `belonging`: keeps what it is asked."""

    def __init__(self) -> None:
        self.true: dict[str, FloatArray] = {}
        self.elected: list[tuple[tuple[float, ...], bool]] = []
        self.second: list[tuple[tuple[float, ...], bool]] = []

    def __call__(
        self,
        hand: SeenHand,
        again: SeenHand,
        alone: SeenHand,
        other_px: FloatArray | None = None,
        weights: tuple[float, ...] = WEIGHTS,
    ) -> float:
        """As `belonging`; candidates are never believed."""
        candidate = weights is SECOND_WEIGHTS
        rows = self.second if candidate else self.elected
        # What lies on the first hand is no second one; beside what is none, nothing is learned.
        first = None if other_px is None or not candidate else self._hand_at(other_px)
        if alone.presence >= THERE and not (candidate and first is None):
            on = self._hand_at(hand.pixels) not in (None, first)
            rows.append((observations(hand, again, alone, other_px), on))
        return -np.inf if candidate else np.inf

    def _hand_at(self, pixels: FloatArray) -> str | None:
        """The side of the true hand that joints lie on."""
        for side, true in self.true.items():
            off = np.linalg.norm(pixels - true, axis=1).mean()
            if off < ON_THE_HAND * np.linalg.norm(np.ptp(true, axis=0)):
                return side
        return None


def samples(count: int, shards: list[Path]) -> Iterator[Sample]:
    """Camera pictures, then those of the shards."""
    yield from (picture.sample for picture in camera_pictures("train", START, count))
    for path in shards:
        yield from load_shard(path)


def weights_of(rows: list[tuple[tuple[float, ...], bool]]) -> NDArray[np.float64]:
    """Of each observation, and the constant."""
    seen, on = zip(*rows, strict=True)
    codes: Codes = (np.array(seen, np.float32), np.array(on, np.float32))
    layer = fitted(codes, DECAY)
    return torch.cat([layer.weight[0], layer.bias]).double().detach().numpy()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1520, help="camera pictures (1520)")
    parser.add_argument("--shards", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    torch.set_num_threads(1)
    detector, judge = HandDetector.load(), Judge()
    with mock.patch.object(hand_pairs, "belonging", judge):
        for number, sample in enumerate(samples(given.count, given.shards)):
            true = present(sample.keypoints)
            judge.true = {side: sample.camera.project(xyz) for side, xyz in true.items()}
            detector.detect(sample.image, sample.camera)
            if number % 100 == 99:
                print(f"{number + 1} pictures, {len(judge.elected)} hands", flush=True)
    for name, rows in (("WEIGHTS", judge.elected), ("SECOND_WEIGHTS", judge.second)):
        wrong = sum(not on for _, on in rows)
        print(f"{name}, of {len(rows)}, {wrong} of them wrong:")
        print(tuple(round(float(x), 3) for x in weights_of(rows)))


if __name__ == "__main__":
    main()
