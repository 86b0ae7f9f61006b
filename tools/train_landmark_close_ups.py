"""Teach the refinement by close-ups the landmark network's errors.

In training scenes (`im2hands synthesize`, `tools/overlay_hands.py`) both hands are looked at from a
rough idea of where they are, then once more as the detector does. Close-ups around what that finds,
and once more around what the network to begin with finds in them, are kept, 90 kB each. What close-
ups show stays as it was learned; what is made of it is trained. With --others the errors are those
of other scenes, turned round or not: a hand's pose says nothing about them, only the picture does.

    python tools/train_landmark_close_ups.py im2hands_ros/data/weights/compact.safetensors \\
        own.safetensors data/own=0.7 data/photo=0.3 --steps 403 --share 0.7
    python tools/train_landmark_close_ups.py im2hands_ros/data/weights/compact.safetensors \\
        others.safetensors data/own=0.7 data/photo=0.3 --steps 1900 --others
    python tools/average_weights.py own.safetensors others.safetensors OUT --share 0.5

writes 0.5 of what --others has changed, and (1 - 0.5) * 0.7 of what the scenes' own errors have: on
photographs the whole of that is worse than nothing ("Robust fine-tuning of zero-shot models",
Wortsman et al., 2022).
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from averaged_training import averaged, folders_and_shares, stage_arguments
from close_up_draws import Drawn, begun, first_look, picked, shown_around
from landmark_errors import Errors, erring, errors_of, landmarks_of
from torch import Tensor

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement, Found
from im2hands_ros.networks.compact.landmark_close_ups import HeldHands, held
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder, Look
from im2hands_ros.networks.compact.presets import COMPACT
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import load_shard
from im2hands_ros.training.photograph_errors import photographed

SCENES, RATE = 40, 0.0008
SMALLEST = 60.0  # pixels of a hand's extent
LOST = 0.25  # of a hand's extent: the network looks at something else
TURNS = (0.0, 15.0, -15.0)
# Of the first idea: radians, logarithm of the size, and of the hand's extent.
TURNED, SIZED, SHIFTED, SHAKEN = 0.1, 0.07, 0.03, 0.03
ONCE = 0.2  # of scenes are looked at only once, as hands that are followed
FINAL, EARLIER = 1.0, 0.5  # weights of the rounds
DEPTH = 0.1  # weight of how much farther joints are
SPREAD = 0.1
LEAST, OF_BEGUN = 0.003, 0.25  # unit of errors: metres, and of what a scene begins with
GREY = 0.03  # of steps


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of what was trained (1)")
    parser.add_argument("--others", action="store_true", help="with errors of other scenes")
    given = stage_arguments(parser, steps=3000)
    torch.set_num_threads(1)
    folders, shares = folders_and_shares(given.shards)
    network = started_from(given.weights).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    errors = [] if given.others else None
    groups = [list(drawn_in(folder, network, errors)) for folder in folders]
    network.conv.requires_grad_(False)
    step = partial(loss_of, network, groups, shares)
    state = averaged(network, step, given.steps, RATE)
    for name, old in before.items():
        if old.is_floating_point():  # what is left counts batches
            state[name] = old.lerp(state[name], given.share).half()
    options = ["--others"] if given.others else []
    command = " ".join(["tools/train_landmark_close_ups.py", *given.shards, *options])
    record = {"command": command, "steps": given.steps, "share": given.share}
    checkpoints.write(state, given.out, record)


def started_from(weights: Path) -> CloseUpRefinement:
    """The network of a file's stage ``closeups``."""
    network = CloseUpRefinement(COMPACT.closeups)
    tensors, stage = checkpoints.read(weights)[0], "closeups."
    network.load_state_dict(
        {name.removeprefix(stage): v for name, v in tensors.items() if name.startswith(stage)}
    )
    return network


def drawn_in(
    folder: Path, first: CloseUpRefinement, errors: list[Errors] | None
) -> Iterator[Drawn]:
    """Looks at the scenes of a folder's shards; first, errors: see `drawn_of`."""
    encoder, rng = ConditionedEncoder.load(), np.random.default_rng(5)
    for path in sorted(folder.rglob("*.npz")):
        for sample in load_shard(path):
            yield from drawn_of(sample, encoder, first, rng, errors)


@torch.inference_mode()
def drawn_of(
    sample: Sample,
    encoder: ConditionedEncoder,
    first: CloseUpRefinement,
    rng: np.random.Generator,
    errors: list[Errors] | None = None,
) -> list[Drawn]:
    """The looks at a scene, the second one around what the network `first` finds; none where its
    hands are too small, or not found.

    errors: of scenes before, this one's are added, and it has those of one of them; None: its own.
    """
    true = {side: sample.camera.project(xyz) for side, xyz in present(sample.keypoints).items()}
    if min(extent(hand) for hand in true.values()) < SMALLEST:
        return []
    image = sample.image
    if sample.kind != "overlaid":  # that is a photograph
        image = photographed(image.copy(), sample.mask, rng)
    hands = seen_in(image, true, encoder, rng)
    if not hands:
        return []
    size = (image.shape[1], image.shape[0])
    if errors is not None:
        there = landmarks_of(sample, true)
        errors.append(errors_of(hands, there, size))
        hands = erring(there, errors[rng.integers(len(errors))], rng, size)
    start = held(hands, *size)
    target = target_of(sample, true, start)
    looks = shown_around(image, start.camera, start.given.joints, start.given, target)
    if looks:
        again = first_look(first, looks[0])
        looks += shown_around(image, start.camera, again, start.given, target)
    return looks


def seen_in(
    image: np.ndarray,
    true: dict[str, np.ndarray],
    encoder: ConditionedEncoder,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """(21, 3) landmarks of the hands that are found, as of `LandmarkCloseUps`."""
    seen = encoder.see(image, {side: disturbed(hand, rng) for side, hand in true.items()})
    if rng.random() > ONCE:
        around, turn = {side: hand.pixels for side, hand in seen.items()}, float(rng.choice(TURNS))
        looks = [Look(side, around, turn) for side in around]
        seen = dict(zip(around, encoder(image, looks), strict=True))
    return {
        side: np.column_stack([hand.pixels, hand.relief])
        for side, hand in seen.items()
        if np.linalg.norm(hand.pixels - true[side], axis=1).mean() < LOST * extent(true[side])
    }


def extent(joints: np.ndarray) -> float:
    """Of (21, 2) joints, the diagonal of their box."""
    return float(np.linalg.norm(np.ptp(joints, axis=0)))


def disturbed(joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rough idea of (21, 2) joints."""
    angle, size, middle = rng.normal(0, TURNED), np.exp(rng.normal(0, SIZED)), joints.mean(0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    off = rng.normal(0, SHIFTED, 2) + rng.normal(0, SHAKEN, joints.shape)
    return (joints - middle) @ (size * turn).T + middle + off * extent(joints)


def target_of(sample: Sample, true: dict[str, np.ndarray], start: HeldHands) -> Tensor:
    """(1, 2, 21, 3) joints on the rays of the true landmarks, the hands as far away as they are
    held; as they begin where a hand is not."""
    target, joints = start.given.joints.clone(), present(sample.keypoints)
    for side, unit in start.units.items():
        place, depth = target[0, SIDES.index(side)], joints[side][:, 2]
        farther = (depth / depth.mean() - 1) * sample.camera.fx * unit
        rays = start.camera.back_project(true[side], float(place[:, 2].mean()) + farther)
        place.copy_(torch.from_numpy(rays))
    return target


def loss_of(
    network: CloseUpRefinement, groups: list[list[Drawn]], shares: np.ndarray, step: int
) -> Tensor:
    """The sum of the losses over the scenes of a step."""
    rng = np.random.default_rng((3, step))
    shown, drawn = picked(groups, shares, SCENES, rng)
    if rng.random() < GREY:
        shown = shown._replace(colours=torch.zeros_like(shown.colours))
    return losses(network(shown, begun(drawn), drawn.given), drawn)


def losses(found: Found, drawn: Drawn) -> Tensor:
    """Of the joints across the rays, of their depth and of the spread; in units of what the scene
    begins with."""
    target, there = drawn.target, drawn.present
    off = torch.where(there[..., None], _across(drawn.begin - target, target).norm(dim=-1), 0.0)
    unit = LEAST + OF_BEGUN * off.sum((1, 2)) / (there.sum(1) * off.shape[2])
    unit = unit[:, None, None]
    total = off.new_zeros(())
    for weight, joints in zip((EARLIER, FINAL), found.rounds, strict=True):
        off = joints - target
        error = (_across(off, target).square().sum(-1) + 1e-7).sqrt()
        total = total + weight * ((error + DEPTH * off[..., 2].abs()) / unit)[there].mean()
    last, spread = error.detach(), found.spread.clamp_min(1e-4)
    return total + SPREAD * ((spread * 1e3).log() + last / spread)[there].mean()


def _across(vectors: Tensor, place: Tensor) -> Tensor:
    """(..., 2) x and y of vectors, as they are seen from the camera at a place."""
    depth = place[..., 2:].clamp_min(0.05)  # of a hand that is not there
    return (vectors - place / depth * vectors[..., 2:])[..., :2]


if __name__ == "__main__":
    main()
