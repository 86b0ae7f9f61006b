"""A detector's hands on the true hands of whole camera pictures: which were found, how far off."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.detection.detector import DetectedHand, HandDetector
from im2hands_ros.detection.lift import PALM_LENGTH
from im2hands_ros.skeleton import MIDDLE_MCP, SIDES, WRIST
from im2hands_ros.synthetic.camera_pictures import CameraPicture
from im2hands_ros.synthetic.sample import Sample, present

# What the hands' distance follows from: a usual palm's length, the length of this person's palm, or
# a depth image.
PICTURE, SIZE, DEPTH = LIFTS = ("picture", "hand size", "depth")
# Of a true hand's extent in the picture: what is farther off on the average is another thing.
_ON_THE_HAND = 0.25
_MILLIMETRES = 1e3
Hands = dict[str, DetectedHand]
Joints = dict[str, NDArray[np.floating]]
Scores = dict[str, list[float]]


@dataclass(frozen=True)
class LiftedDetections:
    """What was detected in one picture, by lift and then by the side that it was given.

    on: detected side -> side of the true hand that it lies on; sides without one are left out.
    """

    hands: dict[str, Hands]
    on: dict[str, str]

    def keypoints(self, lift: str) -> dict[str, NDArray[np.floating] | None]:
        """Per side (21, 3) metres, camera frame, as the detector node publishes them."""
        given = self.hands[lift]
        return {side: given[side].keypoints if side in given else None for side in SIDES}


def detect(detector: HandDetector, picture: CameraPicture) -> LiftedDetections:
    """The hands of one picture, which is no frame of a video."""
    sample, image = picture.sample, picture.sample.image
    true = present(sample.keypoints)
    palms = [np.linalg.norm(hand[MIDDLE_MCP] - hand[WRIST]) for hand in true.values()]
    ways = {
        PICTURE: (None, PALM_LENGTH),
        SIZE: (None, float(np.mean(palms))),
        DEPTH: (picture.depth, PALM_LENGTH),
    }
    hands = {}
    for lift, (depth, palm) in ways.items():
        found = detector.detect(image, sample.camera, depth, palm_length=palm)
        hands[lift] = present(found)
    return LiftedDetections(hands, _matched(hands[PICTURE], true, sample))


def scores_of(sample: Sample, detection: LiftedDetections) -> Scores:
    """Scores by name.

    "found" for every true hand; "true" for every detected one, whether it is on a hand; "pair_mm"
    for every pair that was found; the rest for every hand that was found.
    """
    detected, true = detection.hands, present(sample.keypoints)
    scores: Scores = {
        "found": [float(side in detection.on.values()) for side in true],
        "true": [float(side in detection.on) for side in detected[PICTURE]],
    }
    for side, on in detection.on.items():
        measured = {
            "right_side": float(side == on),
            "pixels": _pixel_error(detected[PICTURE][side], true[on], sample),
        }
        for lift, hands in detected.items():
            if side in hands:
                errors = joint_errors(hands[side].keypoints, true[on])
                measured |= {f"{lift}: {name}": value for name, value in errors.items()}
        for name, value in measured.items():
            scores.setdefault(name, []).append(value)
    for lift, hands in detected.items():
        if len(detection.on) == 2 and len(hands) == 2:
            scores[f"{lift}: pair_mm"] = [_pair_error(hands, detection.on, true)]
    return scores


def _pair_error(hands: Hands, on: dict[str, str], true: Joints) -> float:
    """How far the two hands' middles are off in their place to each other, millimetres."""
    offsets = [
        hands[side].keypoints.mean(axis=0) - true[where].mean(axis=0) for side, where in on.items()
    ]
    return float(np.linalg.norm(offsets[0] - offsets[1])) * _MILLIMETRES


def joint_errors(joints: NDArray[np.floating], true: NDArray[np.floating]) -> dict[str, float]:
    """Mean distances of (21, 3) joints to the true ones, millimetres.

    absolute; root_relative: both wrists at one place; centred: both middles at one place.
    distance_percent: how far off the distance of the hand's middle is.
    """
    ways = {
        "absolute": np.zeros(3),
        "root_relative": joints[WRIST] - true[WRIST],
        "centred": joints.mean(axis=0) - true.mean(axis=0),
    }
    errors = {
        f"{name}_mm": float(np.linalg.norm(joints - offset - true, axis=1).mean()) * _MILLIMETRES
        for name, offset in ways.items()
    }
    off = joints[:, 2].mean() / true[:, 2].mean() - 1
    return errors | {"distance_percent": 100 * abs(float(off))}


def _matched(hands: Hands, true: Joints, sample: Sample) -> dict[str, str]:
    """Detected side -> true side, nearest first, each once."""
    errors = {
        (side, on): _pixel_error(hands[side], true[on], sample) for side, on in product(hands, true)
    }
    matched: dict[str, str] = {}
    for side, on in sorted(errors, key=lambda pair: errors[pair]):
        extent = np.linalg.norm(np.ptp(sample.camera.project(true[on]), axis=0))
        near = errors[side, on] < _ON_THE_HAND * extent
        if near and side not in matched and on not in matched.values():
            matched[side] = on
    return matched


def _pixel_error(hand: DetectedHand, true: NDArray[np.floating], sample: Sample) -> float:
    apart = sample.camera.project(hand.keypoints) - sample.camera.project(true)
    return float(np.linalg.norm(apart, axis=1).mean())
