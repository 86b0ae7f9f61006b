"""Close-ups of training scenes, drawn once and shown in many ways."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from train_keypoints import seen_in

from im2hands_ros.camera import Camera
from im2hands_ros.networks.compact.close_up_refinement import CloseUpRefinement
from im2hands_ros.networks.compact.close_ups import (
    CloseUps,
    Frames,
    bone_maps,
    normalised,
    region,
    sampled,
)
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.skeleton import SIDES
from im2hands_ros.training.augmentation import (
    Keypoints,
    TrackerErrors,
    TrackerOutput,
    exact_and_noisy,
    simulate_tracker_errors,
)
from im2hands_ros.training.batches import photometric
from im2hands_ros.training.photograph_errors import photographed
from im2hands_ros.training.scene_folder import TrainingScene
from im2hands_ros.training.tracked_batches import slots_of

DRAWS = 6
NOISE, NOISE_SHARE, TRACKER_SHARE = (0.004, 0.02), 0.65, 0.2  # metres; the rest are whole hands'
HANDS = TrackerErrors(clean_share=0, noise_share=0, missing_share=0.05)
RELIT = 0.5  # of pictures in another light before what photographs have
# Of what is seen: deviation of the angle about the optical axis and of the size's logarithm.
ROLL, SIZE = 0.6, 0.07
GREY, BLURRED, SHARPENED, NOISY = 0.15, 0.15, 0.13, 0.5  # of scenes' close-ups


class Drawn(NamedTuple):
    """Draws of errors, B of them; hands on their true sides.

    Attributes:
        colours: (B, 42, 3, 24, 24) uint8. bones, axes: as of `CloseUps`, bones in half precision.
        present: (B, 2). begin: (B, 2, 21, 3) joints that the close-ups are around, metres; given:
            the tracker's; target: without errors.
    """

    colours: Tensor
    bones: Tensor
    axes: Tensor
    present: Tensor
    begin: Tensor
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
    """Some draws of one scene, those whose close-ups can be cut; one picture, changed as
    photographs are, for all. With close-ups in the weights, each once more for the second look:
    around the joints that the first one finds."""
    assert networks.keypoints is not None
    image = photometric(scene.image, rng) if rng.random() < RELIT else scene.image
    image = photographed(image, scene.mask, rng)
    kept = seen_in(networks.initial.encoder, scene, image, rng)
    outputs = [drawn_errors(scene.keypoints, rng) for _ in range(DRAWS)]
    joints, reported = slots_of([output.coarse for output in outputs])
    target, _ = slots_of([output.target for output in outputs])
    swapped = torch.tensor([output.swapped for output in outputs])
    features = ImageFeatures(*(x.float().expand(DRAWS, *x.shape[1:]) for x in kept.features))
    coarse = CoarseHands(joints, reported, kept.intrinsics.expand(DRAWS, 3, 3))
    begin, given = networks.keypoints(features, coarse, swapped).joints, coarse.swap(swapped)
    first = shown_around(image, scene.camera, begin, given, target)
    if networks.closeups is None or not first:
        return first
    drawn = Drawn(*map(torch.cat, zip(*first, strict=True)))
    found = first_look(networks.closeups, drawn)
    given = given._replace(joints=drawn.given, present=drawn.present)
    return first + shown_around(image, scene.camera, found, given, drawn.target)


def shown_around(
    image: np.ndarray, camera: Camera, begin: Tensor, given: CoarseHands, target: Tensor
) -> list[Drawn]:
    """Of draws of a scene, those whose close-ups around the joints ``begin`` can be cut."""
    found = []
    for each in torch.arange(len(begin)).split(1):
        present = given.present[each]
        cut = region(image, camera, begin[each], present)
        if cut is not None:
            colours = _cut(*cut)
            bones = bone_maps(begin[each], cut[1], present).half()
            hands = (begin[each], given.joints[each], target[each])
            found.append(Drawn(colours, bones, cut[1].axes, present, *hands))
    return found


def first_look(network: CloseUpRefinement, drawn: Drawn) -> Tensor:
    """(B, 2, 21, 3) the joints that it finds."""
    shown = CloseUps(normalised(drawn.colours.float()), drawn.bones.float(), drawn.axes)
    joints: Tensor = network(shown, begun(drawn), drawn.given).joints
    return joints


def _cut(part: np.ndarray, frames: Frames) -> Tensor:
    colours = sampled(torch.from_numpy(part).permute(2, 0, 1)[None].float(), frames)
    return colours.round().clamp(0, 255).byte()


def picked(
    groups: list[list[Drawn]], shares: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[CloseUps, Drawn]:
    """As `joined`, of so many draws, each of a group that is taken by its share."""
    chosen = [groups[number] for number in rng.choice(len(groups), count, p=shares)]
    return joined([group[rng.integers(len(group))] for group in chosen], rng)


def begun(drawn: Drawn) -> CoarseHands:
    """The hands that the close-ups are around; of the intrinsics nothing is read there."""
    return CoarseHands(drawn.begin, drawn.present, torch.eye(3).expand(len(drawn.begin), 3, 3))


def joined(scenes: list[Drawn], rng: np.random.Generator) -> tuple[CloseUps, Drawn]:
    """A step's draws, each turned about the optical axis, in another size and perhaps in a mirror,
    and their close-ups, in other light and less sharp."""
    drawn = Drawn(*map(torch.cat, zip(*scenes, strict=True)))
    count = len(drawn.given)
    angle = torch.from_numpy(rng.normal(0, ROLL, count)).float()
    size = torch.from_numpy(np.exp(rng.normal(0, SIZE, count))).float()
    drawn = turned(drawn, angle, size, torch.from_numpy(rng.random(count) < 0.5))
    colours = changed(normalised(drawn.colours.float()), rng)
    return CloseUps(colours, drawn.bones.float(), drawn.axes), drawn


def turned(drawn: Drawn, angle: Tensor, size: Tensor, mirrored: Tensor) -> Drawn:
    """The same close-ups of other scenes: rolled about the optical axis by so many radians (B,),
    all of them this much larger, and some in a mirror (B,)."""
    cosine, sine = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    turn = turn * torch.where(mirrored, -1.0, 1.0)[:, None, None] ** torch.tensor([1.0, 0.0])
    whole = F.pad(turn, (0, 1, 0, 1))
    whole[:, 2, 2] = 1
    whole = whole * size[:, None, None]

    def sides(value: Tensor) -> Tensor:
        halves = value.unflatten(1, (len(SIDES), -1))
        other = mirrored.view(-1, *[1] * (halves.dim() - 1))
        return torch.where(other, halves.flip(1), halves).flatten(1, 2).reshape(value.shape)

    places = [
        sides(torch.einsum("bij,bskj->bski", whole, place))
        for place in (drawn.begin, drawn.given, drawn.target)
    ]
    axes = sides(torch.einsum("bij,bskej->bskei", turn, drawn.axes))
    present = sides(drawn.present)
    return Drawn(sides(drawn.colours), sides(drawn.bones), axes, present, *places)


def changed(colours: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, 42, 3, 24, 24) in other light, a little of it of each close-up by itself; some scenes'
    grey, blurred, sharpened or noisy."""
    count = len(colours)
    lot = torch.from_numpy(rng.random((6, count, 1, 1, 1, 1))).float()
    single = torch.from_numpy(rng.random((*colours.shape[:2], 1, 1, 1))).float()
    shift = rng.normal(0, 0.13, (count, 1, 3, 1, 1))
    shift = shift + rng.normal(0, 0.06, (*colours.shape[:3], 1, 1)) * (
        rng.random(shift.shape) < 0.5
    )
    x = colours * (0.7 + 0.6 * lot[0]) * (0.85 + 0.3 * single)
    x = x + torch.from_numpy(shift).float() * (lot[1] < 0.6)
    x = torch.where(lot[2] < GREY, x.mean(2, keepdim=True), x)
    around = F.pad(x.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(around, 3, 1).view_as(x)
    x = torch.where(lot[3] < BLURRED, blurred, x)
    x = torch.where(lot[3] > 1 - SHARPENED, x + (x - blurred) * 0.8, x)
    noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32))
    return x + noise * 0.2 * (lot[4] - 1 + NOISY).clamp_min(0)
