"""Teach the packaged keypoint refinement further scenes and other hands; the image encoder stays.

What the encoder makes of a scene is computed once and kept, half a megabyte a scene, so that a step
costs the refinement alone; the tracker's errors are drawn afresh in every step. Shards are those of
`im2hands synthesize`; each folder has the share of scenes that are drawn from it:

    python tools/train_keypoints.py im2hands_ros/data/weights/compact.safetensors out.safetensors \\
        data/own=0.62 data/webxr=0.05 ... --steps 4400
"""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from averaged_training import averaged, folders_and_shares, stage_arguments, write_stage
from torch import Tensor

from im2hands_ros.camera import crop_around
from im2hands_ros.networks.compact.image_encoder import ImageEncoder, ImageFeatures
from im2hands_ros.networks.compact.joint_features import CoarseHands
from im2hands_ros.networks.compact.keypoint_refinement import KeypointRefinement
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.training.augmentation import Keypoints, TrackerErrors, simulate_tracker_errors
from im2hands_ros.training.batches import CROP_MARGIN, photometric
from im2hands_ros.training.camera_errors import disturbed
from im2hands_ros.training.keypoint_stage import joint_terms
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene
from im2hands_ros.training.tracked_batches import slots_of

SCENES = 32
TRACKER = TrackerErrors()
LOSSES = {"place": 0.5, "shape": 0.5, "spread": 0.1, "side": 0.3}
DISTURBED = 0.4  # of pictures in other light, blurred, grey or partly covered
# Of steps without image features, and with those of other scenes: photographs are not what the
# encoder knows, and then the hands alone must do.
WITHOUT, OTHERS = 0.12, 0.08
RATE = 0.0004


class SeenScene(NamedTuple):
    """Keypoints of a scene, the encoder's features of its crop in half precision, and the crop's
    (1, 3, 3) intrinsics."""

    keypoints: Keypoints
    features: ImageFeatures
    intrinsics: Tensor


def seen(encoder: ImageEncoder, scene: TrainingScene, rng: np.random.Generator) -> SeenScene:
    """One scene or its mirror image, in another light, cut out around what a tracker might say."""
    scene = scene.mirrored() if rng.random() < 0.5 else scene
    image = photometric(scene.image, rng)
    image = disturbed(image, rng) if rng.random() < DISTURBED else image
    return seen_in(encoder, scene, image, rng)


@torch.inference_mode()
def seen_in(
    encoder: ImageEncoder, scene: TrainingScene, image: np.ndarray, rng: np.random.Generator
) -> SeenScene:
    """The same with what has become of the scene's picture."""
    around = np.concatenate(
        list(simulate_tracker_errors(scene.keypoints, TRACKER, rng).coarse.values())
    )
    crop = crop_around(scene.camera, around, 192, CROP_MARGIN + rng.uniform(-0.1, 0.15))
    pixels = torch.from_numpy(crop.extract(image)).permute(2, 0, 1)[None].float() / 255
    features = encoder(pixels.to(memory_format=torch.channels_last))
    kept = ImageFeatures(*(value.half() for value in features))
    return SeenScene(scene.keypoints, kept, torch.from_numpy(crop.camera.K).float()[None])


def loss_of(
    network: KeypointRefinement, groups: list[list[SeenScene]], shares: np.ndarray, step: int
) -> Tensor:
    """The sum of the refinement's losses over the scenes of a step."""
    rng = np.random.default_rng((11, step))
    chosen = [groups[rng.choice(len(groups), p=shares)] for _ in range(SCENES)]
    scenes = [group[rng.integers(len(group))] for group in chosen]
    outputs = [simulate_tracker_errors(scene.keypoints, TRACKER, rng) for scene in scenes]
    columns = zip(*(scene.features for scene in scenes), strict=True)
    features: ImageFeatures | None = ImageFeatures(*(torch.cat(c).float() for c in columns))
    lot = rng.random()
    if lot < WITHOUT:
        features = None
    elif lot < WITHOUT + OTHERS:
        features = ImageFeatures(*(value.roll(1, 0) for value in features or ()))
    joints, reported = slots_of([output.coarse for output in outputs])
    target, present = slots_of([output.target for output in outputs])
    coarse = CoarseHands(joints, reported, torch.cat([scene.intrinsics for scene in scenes]))
    swapped = torch.tensor([output.swapped for output in outputs])
    refined = network(features, coarse, swapped)
    terms = joint_terms(refined, coarse, target, present, swapped)
    return torch.stack([LOSSES[name] * term.mean for name, term in terms.items()]).sum()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given = stage_arguments(parser, steps=4400)
    names, shares = folders_and_shares(given.shards)
    networks = CompactNetworks.load(given.weights)[0]
    if networks.keypoints is None:
        parser.error(f"{given.weights} has no stage 'keypoints': train it first")
    encoder = networks.initial.encoder.eval().requires_grad_(False)
    rng = np.random.default_rng(5)
    folders = [SceneFolder(name) for name in names]
    groups = [[seen(encoder, folder[i], rng) for i in range(len(folder))] for folder in folders]
    network = networks.keypoints
    state = averaged(network, partial(loss_of, network, groups, shares), given.steps, RATE)
    write_stage(given, "train_keypoints", "keypoints", state)


if __name__ == "__main__":
    main()
