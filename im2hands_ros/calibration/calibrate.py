"""From a recording to a calibration: what was seen of the hands, the fit, and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from im2hands_ros.calibration.field_fit import (
    STEPS,
    Adaptation,
    AdaptedField,
    adapted_joints,
    fit,
)
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
from im2hands_ros.calibration.slopes import with_slopes
from im2hands_ros.depth_fit import shown_along
from im2hands_ros.hand_calibration import HandCalibration, HandShape
from im2hands_ros.keypoint_convention import convention_offsets
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.person_shape import fingerprint
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import JOINT_COUNT, LINKS, SIDES
from im2hands_ros.unseen_joints import seen_joints

Array = NDArray[np.float64]
OnStep = Callable[[], None]

FEWEST = 20  # hands that a calibration needs
_SIDE_FEWEST = 8  # and one side of it, to be counted
_FEWEST_POINTS = 25
_HELD_BACK = 5  # one of so many hands is not fitted to
_TRUSTED = 0.010  # metres: joints that are off by less are off by their convention alone
_MOVED = 0.010  # standard deviation of whole hands where they are not trusted, metres
_PRIOR = 1.0  # one side of a finger is seen at a time, and noise of the camera in all of it
_STEADY = 0.02  # of what is not seen of the flesh, against errors of what is
_TRIMMED = 0.1  # of the lengths, at both ends
_FAR_MM = 15.0  # what is farther off is another thing
_CHUNK = 16


class Seen(NamedTuple):
    """Hands with something to fit to.

    Attributes:
        observations: of the hands. shifts: (H, 3) metres, by which their joints seem to be off.
        sides: of the hands. frames: numbers of their frames in the recording.
    """

    observations: Observations
    shifts: Array
    sides: list[str]
    frames: list[int]


class Residuals(NamedTuple):
    """Median distance of the surface from what was seen, millimetres.

    all: over all points; joints: (21,) of those nearest to each joint, NaN where there are none.
    """

    all: float
    joints: Array


class Calibrated(NamedTuple):
    """A calibration, and residuals at hands that were not fitted to: today's and with it."""

    calibration: HandCalibration
    before: Residuals
    after: Residuals


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
    kept = [side for side in SIDES if sides.count(side) >= _SIDE_FEWEST]
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


def calibrate(
    model: Im2Hands,
    seen: Seen,
    convention: str,
    record: dict[str, object],
    with_depth: bool,
    on_step: OnStep,
) -> Calibrated:
    """Fit joints' offsets and the person's shape.

    Without depth images bone lengths alone are new: offsets and flesh fitted to outlines made
    hands worse, WebXR's from an IoU of 0.73 to 0.53.

    Args:
        model: as `observe` had it.
        seen: the hands.
        convention: of the joints.
        record: what else is to be known of the calibration.
        with_depth: whether `observe` had depth images.
        on_step: called ``STEPS`` times, with depth images.
    """
    network = compact_networks(model).initial
    everything = seen.observations
    count = everything.hand_count
    held = torch.arange(count) % _HELD_BACK == 0
    known = convention_offsets(convention)
    offsets = torch.zeros(JOINT_COUNT, 3) if known is None else torch.from_numpy(known).float()
    start = Adaptation.none(network, count)._replace(offsets=offsets)
    trusted = float(np.median(np.linalg.norm(seen.shifts, axis=1))) < _TRUSTED
    if not trusted:
        start = start._replace(moves=torch.from_numpy(seen.shifts).float())
    begin = start._replace(moves=start.moves[~held])
    shown = everything.hands((~held).nonzero()[:, 0])
    fitted = _fitted(network, shown, begin, trusted, on_step) if with_depth else begin
    # Of the hands held back the place is unknown where joints are not trusted: it is fitted alone.
    rest = everything.hands(held.nonzero()[:, 0])
    before, after = (
        residuals(network, rest, _placed(network, rest, each, start.moves[held], trusted))
        for each in (start, fitted)
    )
    sides = [side for side in SIDES if seen.sides.count(side) >= _SIDE_FEWEST]
    shape = _shape(network, fitted) if with_depth else None
    joints = adapted_joints(everything, fitted._replace(moves=torch.zeros(count, 3)))
    calibration = HandCalibration(
        convention,
        fitted.offsets.double().numpy(),
        link_lengths(joints.double().numpy()),
        shape,
        tuple(sides),
        {
            **record,
            "hands": {side: seen.sides.count(side) for side in SIDES},
            "residual_mm": {"before": round(before.all, 2), "after": round(after.all, 2)},
            "joints_off_mm": round(1e3 * float(np.median(np.linalg.norm(seen.shifts, axis=1))), 1),
        },
    )
    return Calibrated(calibration, before, after)


def _fitted(
    network: InitialOccupancy,
    shown: Observations,
    begin: Adaptation,
    trusted: bool,
    on_step: OnStep,
) -> Adaptation:
    return fit(
        network,
        with_slopes(network, shown, begin),
        ("offsets", "code", "thickness", *(() if trusted else ("moves",))),
        begin,
        steps=STEPS,
        move_sigma=_MOVED,
        prior=_PRIOR,
        steady=_STEADY,
        on_step=lambda _: on_step(),
    )


def _shape(network: InitialOccupancy, fitted: Adaptation) -> HandShape:
    return HandShape(
        fitted.code.double().numpy(),
        fitted.thickness.double().numpy(),
        fingerprint(network.decoder),
    )


def _placed(
    network: InitialOccupancy,
    rest: Observations,
    fitted: Adaptation,
    moves: torch.Tensor,
    trusted: bool,
) -> Adaptation:
    """The adaptation for hands that were not fitted to."""
    own = fitted._replace(moves=moves)
    if trusted:
        return own
    return fit(network, rest, ("moves",), own, steps=STEPS // 3, move_sigma=_MOVED)


@torch.no_grad()
def residuals(network: InitialOccupancy, seen: Observations, adaptation: Adaptation) -> Residuals:
    """How far the surface is from what was seen."""
    field = AdaptedField(network)
    distances, nearest = [], []
    for start in range(0, seen.hand_count, _CHUNK):
        index = torch.arange(start, min(start + _CHUNK, seen.hand_count))
        part = seen.hands(index)
        own = adaptation._replace(moves=adaptation.moves[index])
        off = field.adapted(part, part.points, own).abs()
        used = (part.weight > 0) & ~part.bound & (off < _FAR_MM)
        to_joint = torch.cdist(part.points, adapted_joints(part, own)).argmin(dim=2)
        distances.append(off[used])
        nearest.append(to_joint[used])
    every, joint = torch.cat(distances).numpy(), torch.cat(nearest).numpy()
    by_joint = [every[joint == each] for each in range(JOINT_COUNT)]
    medians = [float(np.median(each)) if len(each) else np.nan for each in by_joint]
    return Residuals(float(np.median(every)) if len(every) else np.nan, np.array(medians))


def link_lengths(joints: Array) -> Array:
    """(24,) lengths of the links of (H, 21, 3) joints of one person, metres.

    Noise of the joints makes distances longer; what it adds is known from how much they vary.
    """
    starts, ends = np.array(LINKS).T
    length = np.sort(np.linalg.norm(joints[:, ends] - joints[:, starts], axis=2), axis=0)
    cut = int(_TRIMMED * len(length))
    kept = length[cut : len(length) - cut]
    square = (kept**2).mean(axis=0) - 3 * kept.var(axis=0)
    lengths: Array = np.sqrt(np.maximum(square, (0.7 * kept.mean(axis=0)) ** 2))
    return lengths
