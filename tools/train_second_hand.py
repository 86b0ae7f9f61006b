"""Teach the conditioned landmark network to find a second hand, and whether it has found it.

    python tools/train_second_hand.py im2hands_ros/data/weights/told_landmarks.safetensors OUT \\
        data/own=0.68 data/photo=0.32 --steps 6000

In training scenes (`im2hands synthesize`, `tools/overlay_hands.py`) one hand is found, the other
one is looked for as `detection/second_hand.py` does: half of the crops are around guesses, and
around what the network to begin with sees there. It learns to move from a guess to the hand, and
`SeenHand.fits`: whether its landmarks have come to lie on it. The other half of the crops are
those of `im2hands train landmarks`, so that it keeps what it knows.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from averaged_training import averaged, folders_and_shares, stage_arguments
from fit_second_hand import ON_THE_HAND
from second_hand_draws import drawn_beside
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.conditioned_landmarks import ConditionedLandmarks, Hints
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder
from im2hands_ros.networks.compact.landmark_network import CODE_WIDTH, HINTED, SeenLandmarks
from im2hands_ros.training.crop_errors import CropErrors
from im2hands_ros.training.landmark_batches import CropBatch, collate_crops, draw_crop
from im2hands_ros.training.prefetch import prefetch
from im2hands_ros.training.scene_folder import SceneFolder

CROPS, RATE = 16, 0.0001
ERRORS = CropErrors(ghost_share=0.1, unknown_share=0.4, lone_share=0.5)
BESIDE = 0.5  # of the crops
GAIN = 5.0  # the classifier learns this many times as fast
# Weights of the losses; pixels from which on an error counts by its logarithm, and limits.
PLACE, SPREAD, RELIEF, SIDE, PRESENCE, FITS = 0.1, 0.5, 0.05, 0.3, 0.3, 0.5
FAR, LOGARITHM, MOST, DEEPEST = 25.0, 5.0, 60.0, 40.0


class Told(NamedTuple):
    """What the network sees, its spread, and the (B,) logarithm of the odds that it fits."""

    seen: SeenLandmarks
    spread: Tensor
    fits: Tensor


class SecondHand(nn.Module):
    """The network, and a classifier of its code that begins at nothing."""

    def __init__(self, landmarks: ConditionedLandmarks) -> None:
        super().__init__()
        self.landmarks, self.fits = landmarks, nn.Linear(CODE_WIDTH, 1)
        nn.init.zeros_(self.fits.weight)
        nn.init.zeros_(self.fits.bias)
        trunk = landmarks.network
        for part in (trunk.stem, *trunk.blocks[: HINTED + 1], trunk.shape):
            part.requires_grad_(False)

    def forward(self, image: Tensor, hints: Hints) -> Told:
        """As `ConditionedLandmarks`."""
        seen, spread = self.landmarks(image, hints)
        return Told(seen, spread, GAIN * self.fits(seen.code)[:, 0])


def drawn(
    folders: list[SceneFolder], shares: np.ndarray, encoder: ConditionedEncoder, step: int
) -> tuple[CropBatch, Tensor]:
    """A step's crops, and (B,) which of them are beside a first hand."""
    rng = np.random.default_rng((7, step))
    crops, beside = [], rng.random(CROPS) < BESIDE
    for each in beside:
        folder = folders[int(rng.choice(len(folders), p=shares))]
        crop = drawn_beside(folder, encoder, rng) if each else draw_crop(folder, ERRORS, rng)
        crops.append(crop)
    return collate_crops(crops), torch.from_numpy(beside)


def loss_of(told: Told, batch: CropBatch, beside: Tensor) -> Tensor:
    """Of the landmarks where the hand is, of presence and side but beside a first hand, and of
    the classifier wherever there are hints."""
    seen, there, usual = told.seen, batch.there, ~beside
    off = (seen.landmarks - batch.target).abs()
    across = off[..., :2].mean(-1)
    far = (across - FAR).clamp_min(0)
    place = across.clamp_max(FAR) + LOGARITHM * torch.log1p(far / LOGARITHM)
    likelihood = across.clamp_max(MOST) / told.spread + told.spread.log()
    relief = off[..., 2].clamp_max(DEEPEST)
    presence, right = (x.clamp(1e-6, 1 - 1e-6) for x in (seen.presence, seen.right))
    known = batch.hints.known > 0.5
    fits = found(seen, batch).float()
    return (
        PLACE * _mean(place, there)
        + SPREAD * _mean(likelihood, there)
        + RELIEF * _mean(relief, there)
        + SIDE * _mean(_entropy(right, batch.right), there & usual)
        + PRESENCE * _mean(_entropy(presence, there.float()), usual)
        + FITS * _mean(_entropy(told.fits.sigmoid().clamp(1e-6, 1 - 1e-6), fits), known)
    )


def found(seen: SeenLandmarks, batch: CropBatch) -> Tensor:
    """(B,) whether the landmarks lie on the hand that is meant, seen as of its side."""
    target = batch.target[..., :2]
    off = (seen.landmarks[..., :2].detach() - target).norm(dim=-1).mean(1)
    extent = (target.amax(1) - target.amin(1)).norm(dim=1)
    return batch.there & (off < ON_THE_HAND * extent) & (batch.right > 0.5)


def _entropy(probability: Tensor, truth: Tensor) -> Tensor:
    return F.binary_cross_entropy(probability, truth, reduction="none")


def _mean(values: Tensor, which: Tensor) -> Tensor:
    """Of some of (B, ...); 0 of none."""
    return values[which].sum() / max(values[which].numel(), 1)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given = stage_arguments(parser, steps=6000)
    torch.set_num_threads(1)
    folders, shares = folders_and_shares(given.shards)
    draw = partial(
        drawn, list(map(SceneFolder, folders)), shares, ConditionedEncoder.load(given.weights)
    )
    network = started_from(given.weights).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = prefetch(draw, 0, given.steps)

    def loss(_: int) -> Tensor:
        batch, beside = next(batches)
        image = batch.image.contiguous(memory_format=torch.channels_last)
        return loss_of(network(image, batch.hints), batch, beside)

    state = averaged(network, loss, given.steps, RATE)
    for name in ("fits.weight", "fits.bias"):
        state[name] *= GAIN
    command = " ".join(["tools/train_second_hand.py", *given.shards])
    record = {k: v for k, v in checkpoints.read(given.weights)[1].items() if k != "fits"}
    made = {"command": command, "steps": given.steps}
    half = {name: value.half().contiguous() for name, value in state.items()}
    checkpoints.write(half, given.out, record | {"second_hand": made})


def started_from(weights: Path) -> SecondHand:
    """The network of a file's stage ``landmarks``, to be trained."""
    landmarks, stage = ConditionedLandmarks(), "landmarks."
    tensors = checkpoints.read(weights)[0]
    landmarks.load_state_dict(
        {name.removeprefix(stage): v for name, v in tensors.items() if name.startswith(stage)}
    )
    return SecondHand(landmarks)


if __name__ == "__main__":
    main()
