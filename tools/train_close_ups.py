"""Teach the refinement by close-ups; everything before it stays as it is.

For every draw of a tracker's errors the packaged keypoint refinement's joints and the close-ups
around them are computed once and kept, 100 kB a draw, so that a step costs the new part alone.
Shards are those of `im2hands synthesize`; each folder has the share of draws that come from it:

    python tools/train_close_ups.py im2hands_ros/data/weights/compact.safetensors out.safetensors \\
        data/own=0.65 data/webxr=0.05 ... --steps 4000
"""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from averaged_training import averaged, folders_and_shares, stage_arguments, write_stage
from torch import Tensor
from torch.nn import functional as F
from train_keypoints import seen

from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement, Found
from im2hands_ros.networks.compact.close_ups import CloseUps, region, shown_in
from im2hands_ros.networks.compact.joint_features import STEP_UNIT, CoarseHands
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.training.augmentation import (
    Keypoints,
    TrackerErrors,
    TrackerOutput,
    exact_and_noisy,
    simulate_tracker_errors,
)
from im2hands_ros.training.keypoint_stage import joint_terms
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene
from im2hands_ros.training.tracked_batches import slots_of

SCENES, DRAWS, RATE = 48, 3, 0.001
LOSSES = {"place": 0.5, "shape": 0.5, "spread": 0.1}
OFFSETS = 0.3  # weight of what each close-up says of its joint alone
NOISE, NOISE_SHARE, TRACKER_SHARE = (0.003, 0.02), 0.55, 0.25  # metres; the rest are whole hands'
HANDS = TrackerErrors(clean_share=0, noise_share=0, missing_share=0.05)
# Of scenes with the close-ups of another one, and with grey ones.
OTHERS, GREY = 0.08, 0.06


class Drawn(NamedTuple):
    """One draw of errors of one scene; hands on their true sides.

    Attributes:
        shown: close-ups, colours and maps in half precision. begin: joints that they are around.
        given: the tracker's (1, 2, 21, 3); target: without errors.
    """

    shown: CloseUps
    begin: CoarseHands
    given: Tensor
    target: Tensor


def drawn_errors(keypoints: Keypoints, rng: np.random.Generator) -> TrackerOutput:
    """Noise of any size, a tracker's errors, or whole hands of wrong place and size."""
    chance = rng.random()
    if chance < NOISE_SHARE:
        sigma = float(np.exp(rng.uniform(*np.log(NOISE))))
        true, coarse = exact_and_noisy(keypoints, sigma, rng)
        return TrackerOutput(coarse, true, swapped=False)
    errors = TrackerErrors() if chance < NOISE_SHARE + TRACKER_SHARE else HANDS
    return simulate_tracker_errors(keypoints, errors, rng)


@torch.inference_mode()
def draws(networks: CompactNetworks, scene: TrainingScene, rng: np.random.Generator) -> list[Drawn]:
    """Some draws of one scene, those whose close-ups can be cut."""
    assert networks.keypoints is not None
    kept = seen(networks.initial.encoder, scene, rng)
    scene = scene if kept.keypoints is scene.keypoints else scene.mirrored()
    features = type(kept.features)(*(value.float() for value in kept.features))
    found = []
    for _ in range(DRAWS):
        output = drawn_errors(scene.keypoints, rng)
        (joints, present), (target, _) = slots_of([output.coarse]), slots_of([output.target])
        coarse, swapped = (
            CoarseHands(joints, present, kept.intrinsics),
            torch.tensor([output.swapped]),
        )
        refined = networks.keypoints(features, coarse, swapped)
        given = coarse.swap(swapped)
        begin = given._replace(joints=refined.joints)
        cut = region(scene.image, scene.camera, begin.joints, begin.present)
        if cut is not None:
            shown = shown_in(*cut, begin.joints, begin.present)
            shown = CloseUps(shown.colours.half(), shown.bones.half(), shown.axes)
            found.append(Drawn(shown, begin, given.joints, target))
    return found


def changed(colours: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, 42, 3, 24, 24) in other light, grey, blurred or noisy, each close-up by itself."""
    x = colours.flatten(0, 1)
    chance = torch.from_numpy(rng.random((5, len(x), 1, 1, 1))).float()
    x = torch.where(chance[0] < 0.2, x.mean(1, keepdim=True).expand_as(x), x)
    shift = torch.from_numpy(rng.normal(0, 0.15, (len(x), 3, 1, 1))).float()
    x = x * (1 + (chance[1] - 0.5) * 0.8) + shift * (chance[2] < 0.5)
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where(chance[3] < 0.25, blurred, x)
    noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32))
    return (x + noise * 0.2 * (chance[4] - 0.4).clamp_min(0)).view_as(colours)


def loss_of(
    network: CloseUpRefinement, groups: list[list[Drawn]], shares: np.ndarray, step: int
) -> Tensor:
    """The sum of the losses over the scenes of a step."""
    rng = np.random.default_rng((9, step))
    chosen = [groups[number] for number in rng.choice(len(groups), SCENES, p=shares)]
    scenes = [group[rng.integers(len(group))] for group in chosen]
    colours, bones, axes = (
        torch.cat(part).float() for part in zip(*(scene.shown for scene in scenes), strict=True)
    )
    begin = CoarseHands(*map(torch.cat, zip(*(scene.begin for scene in scenes), strict=True)))
    given, target = (torch.cat([getattr(s, name) for s in scenes]) for name in ("given", "target"))
    colours, lot = changed(colours, rng), rng.random()
    if lot < OTHERS:
        colours = colours.roll(1, 0)
    elif lot < OTHERS + GREY:
        colours = torch.zeros_like(colours)
    found = network(CloseUps(colours, bones, axes), begin, given)
    coarse = begin._replace(joints=given)
    return losses(found, coarse, begin.joints, axes, target)


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
