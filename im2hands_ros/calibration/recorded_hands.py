"""What the frames of a recording show of hands: points of their skin, and where those lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.calibration.observations import (
    Observations,
    SeenFrame,
    SeenHand,
    compact_networks,
    observations_of,
    seen_frame,
)
from im2hands_ros.calibration.recording import RecordedFrame
from im2hands_ros.calibration.skin import SkinPoints, skin_of_depth, skin_of_outline
from im2hands_ros.depth_fit import shown_along
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import SIDES
from im2hands_ros.unseen_joints import seen_joints

FEWEST = 20  # hands that a calibration needs
SIDE_FEWEST = 8  # and one side of it, to be counted
_FEWEST_POINTS = 25

OnStep = Callable[[], None]


class Seen(NamedTuple):
    """Hands with something to fit to.

    Attributes:
        observations: of the hands. shifts: (H, 3) metres, by which their joints seem to be off.
        sides: of the hands. frames: numbers of their frames in the recording.
    """

    observations: Observations
    shifts: NDArray[np.float64]
    sides: list[str]
    frames: list[int]


def observe(
    model: Im2Hands, frames: Sequence[RecordedFrame], with_depth: bool, on_step: OnStep
) -> Seen:
    """What frames show of the hands.

    Args:
        model: whose networks encode the images.
        with_depth: by the depth images; else by the outlines of the hands' masks.
        on_step: called after each frame.

    Raises:
        ValueError: too little was seen to calibrate with.
    """
    hands: list[SeenHand] = []
    encoded: list[SeenFrame] = []
    shifts, numbers = [], []
    for number, frame in enumerate(frames):
        on_step()
        joints = {s: xyz for s, xyz in frame.joints.present.items() if seen_joints(xyz).all()}
        if not joints or (with_depth and frame.depth is None):
            continue
        crop = seen_frame(model, frame.image, joints, frame.camera)
        for side, skin in _skin_of(model, frame, joints, crop, with_depth).items():
            if (~skin.bound).sum() >= _FEWEST_POINTS:
                zero = np.zeros(len(skin.points))
                own = SeenHand(side, joints[side], skin.points, zero, skin.bound, len(encoded))
                hands.append(own)
                shifts.append(skin.shift)
                numbers.append(number)
        encoded.append(crop)
    sides = [hand.side for hand in hands]
    kept = [side for side in SIDES if sides.count(side) >= SIDE_FEWEST]
    if len(hands) < FEWEST or not kept:
        raise ValueError(_too_few(len(frames), sides, with_depth))
    return Seen(observations_of(hands, encoded), np.array(shifts), sides, numbers)


def _skin_of(
    model: Im2Hands,
    frame: RecordedFrame,
    joints: dict[str, NDArray[np.float32]],
    crop: SeenFrame,
    with_depth: bool,
) -> dict[str, SkinPoints]:
    with torch.no_grad():
        masks = compact_networks(model).initial.encoder.masks(crop.features).softmax(1)[0, 1:]
    hand = masks.sum(0, keepdim=True)
    if not with_depth:
        return skin_of_outline(hand[0].double().numpy(), crop.camera, joints)
    assert frame.depth is not None
    return skin_of_depth(
        frame.depth, frame.camera, joints, lambda rays: shown_along(rays, hand, crop.camera)
    )


def _too_few(frames: int, sides: list[str], with_depth: bool) -> str:
    counts = " and ".join(f"{sides.count(side)} {side}" for side in SIDES)
    what = "depth images with skin" if with_depth else "outlines"
    return (
        f"{frames} frames show {counts} hands with {what} where their joints are: {FEWEST} are "
        "needed; record half a minute of both hands turning and bending, joints in the image's "
        "frame, depth registered to it"
    )
