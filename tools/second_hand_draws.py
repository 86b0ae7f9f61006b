"""Crops of where a second hand may be beside a first one, as the detector's search looks there."""

from __future__ import annotations

import numpy as np

from im2hands_ros.detection.second_hand import guesses_beside, other_side
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder, Look
from im2hands_ros.networks.compact.landmark_network import INPUT_SIZE
from im2hands_ros.networks.compact.landmark_regions import (
    FloatArray,
    cut_out,
    moved,
    region_of,
    scale_of,
)
from im2hands_ros.training.camera_errors import disturbed
from im2hands_ros.training.crop_errors import CropErrors, shaken
from im2hands_ros.training.landmark_batches import HandCrop, are_near, in_picture
from im2hands_ros.training.scene_folder import SceneFolder, TrainingScene

FIRST = CropErrors(noise=(0.02, 0.08), shift=0.05, turn=0.07, size=0.07)  # of the hand found first
# Shares: of scenes without two hands near each other; of guesses that are one of the three nearest,
# of the others that are any; of those that are what is seen there, and what is seen there again.
LONE, NEARER, ANY, SEEN, SEEN_AGAIN = 0.12, 0.6, 0.75, 0.55, 0.3
BESIDE, SMALLER, SIZED = 0.45, -0.3, 0.3  # of a part of the first hand; of its extent, logarithms
# A hand is there with so many of its joints in the crop or this near it, and so near the guess.
INSIDE, MARGIN, FAR = 0.75, 10.0, 0.8
TRIES = 64


def drawn_beside(
    folder: SceneFolder, encoder: ConditionedEncoder, rng: np.random.Generator
) -> HandCrop:
    """The other hand of a random scene, where it is guessed to be or seen from there."""
    for _ in range(TRIES):
        scene = folder[int(rng.integers(len(folder)))]
        if are_near(in_picture(scene)) or rng.random() < LONE:
            break
    scene = scene.mirrored() if rng.random() < 0.5 else scene
    joints = in_picture(scene)
    side = list(joints)[int(rng.integers(len(joints)))]
    first, other = shaken(joints[side][:, :2], FIRST, rng), other_side(side)
    place = guess(scene, encoder, {side: first}, rng)
    looks = 0 if rng.random() >= SEEN else 1 + (rng.random() < SEEN_AGAIN)
    for _ in range(looks):
        place = encoder(scene.image, [Look(other, {side: first, other: place})])[0].pixels
    crop = crop_around(scene, other, place, first)
    return crop._replace(image=disturbed(crop.image, rng))


def guess(
    scene: TrainingScene,
    encoder: ConditionedEncoder,
    first: dict[str, FloatArray],
    rng: np.random.Generator,
) -> FloatArray:
    """(21, 2) where the other hand may be, as of `detection.second_hand.candidates`.

    first: side -> (21, 2) of the hand that is found.
    """
    ((side, hand),) = first.items()
    places, other = guesses_beside(hand, side), other_side(side)
    true = in_picture(scene).get(other)
    if true is not None and rng.random() < NEARER:
        off = [np.linalg.norm(place - true[:, :2], axis=1).mean() for place in places]
        return places[int(np.argsort(off)[rng.integers(3)])]
    if rng.random() < ANY:
        return places[int(rng.integers(len(places)))]
    return _seen_of(scene, encoder, hand, other, rng)


def _seen_of(
    scene: TrainingScene,
    encoder: ConditionedEncoder,
    hand: FloatArray,
    other: str,
    rng: np.random.Generator,
) -> FloatArray:
    """What is seen without hints in a part of a hand, or beside it."""
    angle, size = rng.uniform(0, 2 * np.pi), np.exp(rng.normal(SMALLER, SIZED))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = hand.mean(0)
    off = rng.normal(0, BESIDE, 2) * np.linalg.norm(np.ptp(hand, axis=0))
    part = ((hand - middle) * (-1, 1)) @ (size * turn).T + middle + off
    return encoder.alone(scene.image, [region_of(part, other == "left")])[0].pixels


def crop_around(scene: TrainingScene, side: str, place: FloatArray, first: FloatArray) -> HandCrop:
    """The hand of this side in a crop around a place (21, 2), beside the first hand (21, 2)."""
    region, true = region_of(place, side == "left"), in_picture(scene).get(side)
    target, there, scale = np.zeros((len(place), 3)), False, scale_of(region)
    if true is not None:
        target = np.column_stack([moved(true[:, :2], region), scale * true[:, 2]])
        near = (target[:, :2] > -MARGIN) & (target[:, :2] < INPUT_SIZE + MARGIN)
        extent = np.linalg.norm(np.ptp(true[:, :2], axis=0))
        off = np.linalg.norm(place - true[:, :2], axis=1).mean()
        there = bool(near.all(axis=1).mean() >= INSIDE and off < FAR * extent)
    return HandCrop(
        image=cut_out(scene.image, region),
        hints=moved(np.stack([place, first]), region),
        both=True,
        target=target,
        there=there,
        right=True,
        palm=1.0,
    )
