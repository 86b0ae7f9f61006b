"""Teach the refinement by close-ups; everything before it stays as it is.

For every draw of a tracker's errors the packaged keypoint refinement's joints and the close-ups
around them are computed once and kept, 100 kB a draw, so that a step costs the new part alone.
Shards are those of `im2hands synthesize`; each folder has the share of draws that come from it:

    python tools/train_close_ups.py im2hands_ros/data/weights/compact.safetensors out.safetensors \\
        data/own=0.7 data/webxr=0.04 ... --steps 8000
"""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from averaged_training import averaged, folders_and_shares, stage_arguments, write_stage
from close_up_draws import Drawn, begun, draws, picked
from torch import Tensor

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement, Found
from im2hands_ros.networks.compact.joint_features import STEP_UNIT, CoarseHands
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.training.keypoint_stage import joint_terms
from im2hands_ros.training.scene_folder import SceneFolder

SCENES, RATE = 40, 0.0012
LOSSES = {"place": 0.5, "shape": 0.5, "spread": 0.1}
OFFSETS = 0.3  # weight of what each close-up says of its joint alone
# Of steps with the close-ups of other scenes, and with grey ones.
OTHERS, GREY = 0.04, 0.04


def loss_of(
    network: CloseUpRefinement, groups: list[list[Drawn]], shares: np.ndarray, step: int
) -> Tensor:
    """The sum of the losses over the scenes of a step."""
    rng = np.random.default_rng((9, step))
    shown, drawn = picked(groups, shares, SCENES, rng)
    lot = rng.random()
    if lot < OTHERS:
        shown = shown._replace(colours=shown.colours.roll(1, 0))
    elif lot < OTHERS + GREY:
        shown = shown._replace(colours=torch.zeros_like(shown.colours))
    hands = begun(drawn)
    found = network(shown, hands, drawn.given)
    given = hands._replace(joints=drawn.given)
    return losses(found, given, drawn.begin, drawn.axes, drawn.target)


def losses(
    found: Found, coarse: CoarseHands, begin: Tensor, axes: Tensor, target: Tensor
) -> Tensor:
    """Of joints and spread as in the keypoint refinement, and of the close-ups' own offsets."""
    sides = torch.zeros(len(target), dtype=torch.bool)
    refined = RoundsOf(found.joints, found.spread, found.rounds, torch.zeros(len(target)))
    terms = joint_terms(refined, coarse, target, coarse.present, sides, weights=(0.5, 1.0))
    off = target - begin
    across = (off - begin / begin[..., 2:] * off[..., 2:])[..., :2] / STEP_UNIT
    wanted = (across[..., None, :] * axes).sum(-1)
    size = found.offsets[..., 2].clamp(-3, 3)
    error = (found.offsets[..., :2] - wanted).norm(dim=-1)
    offsets = (error * (-size).exp() + 2 * size)[coarse.present].mean()
    joints = torch.stack([LOSSES[name] * terms[name].mean for name in LOSSES]).sum()
    return joints + OFFSETS * offsets


class RoundsOf(NamedTuple):
    """What `joint_terms` reads of refined keypoints."""

    joints: Tensor
    spread: Tensor
    rounds: tuple[Tensor, ...]
    swapped: Tensor


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given = stage_arguments(parser, steps=4000)
    names, shares = folders_and_shares(given.shards)
    networks = CompactNetworks.load(given.weights)[0].eval()
    if networks.keypoints is None:
        parser.error(f"{given.weights} has no stage 'keypoints': train it first")
    rng = np.random.default_rng(5)
    folders = [SceneFolder(name) for name in names]
    groups = [
        [drawn for index in range(len(folder)) for drawn in draws(networks, folder[index], rng)]
        for folder in folders
    ]
    torch.manual_seed(0)
    network = networks.closeups or CloseUpRefinement(COMPACT.closeups)
    step = partial(loss_of, network.train(), groups, shares)
    state = averaged(network, step, given.steps, RATE)
    halved = {n: v.half() if v.is_floating_point() else v for n, v in state.items()}
    write_stage(given, "train_close_ups", "closeups", halved)


if __name__ == "__main__":
    main()
