"""Pictures with the hands of two people: those of two frames of the demo, before one camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.background import random_background, random_light
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence
from im2hands_ros.synthetic.hand_part import hand_part
from im2hands_ros.synthetic.renderer import render
from im2hands_ros.synthetic.sample import moved, pose_hand
from im2hands_ros.synthetic.skin import TONES, Skin

BACK = 0.25  # metres that the demo's hands are farther away, for there to be room for others
_SKINS = [Skin(np.float32(tone) ** 2, np.float32([0.01, 0.02, 0.03])) for tone in TONES[1:3]]


@dataclass(frozen=True)
class Person:
    """frame: of the demo. offset: (3,) metres that those hands are moved by, camera frame."""

    frame: int
    offset: NDArray[np.floating]


@dataclass(frozen=True)
class TwoPeople:
    """image: (480, 640, 3) uint8 RGB. true: of each person side -> (21, 2) pixels of joints."""

    image: NDArray[np.uint8]
    true: tuple[dict[str, NDArray[np.floating]], ...]


def picture(people: list[Person], seed: int) -> TwoPeople:
    """The hands of these people; the seed decides light and background."""
    sequence, random = load_demo_sequence(), np.random.default_rng(seed)
    parts, true = [], []
    for person, skin in zip(people, _SKINS, strict=False):
        pixels = {}
        given = sequence.frames[person.frame].parameters
        for side in SIDES:
            if given[side] is None:
                continue
            place = np.asarray(person.offset) + (0, 0, BACK)
            hand = pose_hand(side, moved(given[side], np.eye(3), place))
            parts.append(hand_part(side, hand.skin, skin))
            pixels[side] = sequence.camera.project(hand.keypoints)
        true.append(pixels)
    ground = random_background(random, sequence.camera.height, sequence.camera.width)
    image, _ = render(parts, sequence.camera, random_light(random), ground)
    return TwoPeople(image, tuple(true))


def whose(found: NDArray[np.floating], scene: TwoPeople) -> tuple[int, str] | None:
    """Person and side of the hand that (21, 2) joints lie on; None: of nobody's."""
    off = {
        (person, side): np.linalg.norm(found - joints, axis=1).mean()
        / np.linalg.norm(np.ptp(joints, axis=0))
        for person, hands in enumerate(scene.true)
        for side, joints in hands.items()
    }
    best = min(off, key=off.__getitem__)
    return best if off[best] < 0.25 else None
