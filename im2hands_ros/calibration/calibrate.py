"""From what was seen of hands to a calibration: the fit, and how good it is."""

from __future__ import annotations

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
from im2hands_ros.calibration.observations import Observations, compact_networks
from im2hands_ros.calibration.recorded_hands import SIDE_FEWEST, OnStep, Seen
from im2hands_ros.calibration.slopes import with_slopes
from im2hands_ros.hand_calibration import HandCalibration, HandShape
from im2hands_ros.keypoint_convention import convention_offsets
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.person_shape import fingerprint
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.skeleton import JOINT_COUNT, LINKS, SIDES

Array = NDArray[np.float64]

_HELD_BACK = 5  # one of so many hands is not fitted to
_TRUSTED = 0.010  # metres: joints that are off by less are off by their convention alone
_MOVED = 0.010  # standard deviation of whole hands where they are not trusted, metres
_PRIOR = 1.0  # one side of a finger is seen at a time, and noise of the camera in all of it
_STEADY = 0.02  # of what is not seen of the flesh, against errors of what is
_TRIMMED = 0.1  # of the lengths, at both ends
_FAR_MM = 15.0  # what is farther off is another thing
_CHUNK = 16


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
    sides = [side for side in SIDES if seen.sides.count(side) >= SIDE_FEWEST]
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
