"""How well hands are followed: streams of drawn hands in motion through the frame engine.

With and without the image, each with ``tracking`` and without: what single frames give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.depth_images import motion_depth_images
from im2hands_ros.evaluation.inputs import TRACKER_ERRORS
from im2hands_ros.evaluation.sequence_errors import track_with_errors
from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.synthetic.motion import Motion, draw_motion
from im2hands_ros.synthetic.motion_pictures import motion_pictures
from im2hands_ros.tracking.settings import FrameSettings
from im2hands_ros.tracking.stream_filters import StreamFilters
from im2hands_ros.tracking.tracker import Extent, HandTracker

RATE = 30.0
# The first second is not scored: nothing is known of the tracker yet.
_UNSCORED = round(RATE)
Tracks = dict[str, NDArray[np.float32]]  # by side (T, 21, 3) metres, camera frame


class StreamScores(NamedTuple):
    """Of one hand: mean distance of joints, and of that error's second difference, millimetres."""

    error_mm: float
    tremble_mm: float


@dataclass
class Scores:
    """Of all hands of all sequences, with tracking and without, and what filtering joints
    alone takes a frame, milliseconds."""

    single: list[StreamScores] = field(default_factory=list)
    tracked: list[StreamScores] = field(default_factory=list)
    filter_ms: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Means over hands, and by how much tracking changes them, percent."""
        means = {"single": np.mean(self.single, axis=0), "tracked": np.mean(self.tracked, axis=0)}
        change = 100 * (means["tracked"] / means["single"] - 1)
        row = {
            f"{kind}_{name}": round(float(value), 2)
            for kind, values in means.items()
            for name, value in zip(StreamScores._fields, values, strict=True)
        }
        row["error_change_percent"], row["tremble_change_percent"] = np.round(change, 1).tolist()
        if self.filter_ms:
            row["filter_ms"] = round(float(np.median(self.filter_ms)), 3)
        return row


def joints_alone(sequences: int, seconds: float, noise: float, lasting: bool) -> Scores:
    """Streams of joints without images.

    Args:
        sequences: how many motions, two hands each.
        seconds: length of each.
        noise: new in every frame, metres.
        lasting: errors that last for a second or two as well.
    """
    scores = Scores()
    for seed in range(sequences):
        motion = draw_motion(seconds, seed, RATE)
        given = _tracked(motion, seed, noise, lasting)
        out, milliseconds = followed(motion.stamps, given)
        scores.single += _scores(given, motion.keypoints)
        scores.tracked += _scores(out, motion.keypoints)
        scores.filter_ms += milliseconds
    return scores


def with_images(
    model: Im2Hands,
    sequences: int,
    seconds: float,
    noise: float,
    depth_camera: str | None = None,
    first_seed: int = 0,
) -> Iterator[Scores]:
    """Rendered streams, with all of a tracker's errors; the scores so far after each sequence.

    depth_camera: of ``depth_images.DEPTH_CAMERAS``, whose images single frames get as well; None:
    no depth images. first_seed: of the sequences, others for choosing than for reporting.
    """
    scores = Scores()
    for seed in range(first_seed, first_seed + sequences):
        motion = draw_motion(seconds, seed, RATE)
        given = _tracked(motion, seed, noise, lasting=True)
        single, tracked = (
            HandTracker(model, FrameSettings(tracking=tracking)) for tracking in (False, True)
        )
        out = _rendered((single, tracked), motion, seed, given, depth_camera)
        scores.single += _scores(out[0], motion.keypoints)
        scores.tracked += _scores(out[1], motion.keypoints)
        yield scores


def _rendered(
    trackers: Sequence[HandTracker],
    motion: Motion,
    seed: int,
    given: Tracks,
    depth_camera: str | None,
) -> list[Tracks]:
    """The joints that each frame engine makes of a motion's images and a tracker's joints."""
    depths: Iterator[NDArray[np.float32] | None] = repeat(None, len(motion))
    if depth_camera is not None:
        depths = motion_depth_images(motion, seed, depth_camera)
    out = [{side: np.full_like(track, np.nan) for side, track in given.items()} for _ in trackers]
    images = zip(motion_pictures(motion, seed), depths, strict=True)
    for number, (image, depth) in enumerate(images):
        joints = {side: track[number] for side, track in given.items()}
        stamp = float(motion.stamps[number])
        for tracker, into in zip(trackers, out, strict=True):
            frame = tracker.update(
                image, stamp, motion.camera, joints, depth, extent=Extent.KEYPOINTS
            )
            for side, hand in frame.present.items():
                into[side][number] = hand.keypoints
    return out


def followed(
    stamps: Sequence[float] | NDArray[np.float64],
    given: Tracks,
    are_given: Callable[[int], bool] = lambda frame: True,
) -> tuple[Tracks, list[float]]:
    """What the filters make of joints.

    Args:
        stamps: (T,) seconds.
        given: by side (T, 21, 3).
        are_given: whether the tracker has the hands in a frame.

    Returns:
        (T, 21, 3) by side, NaN where a hand is not there, and milliseconds of each frame.
    """
    filters, settings = StreamFilters(), FrameSettings()
    out = {side: np.full_like(track, np.nan) for side, track in given.items()}
    milliseconds = []
    for frame, stamp in enumerate(stamps):
        started = time.perf_counter()
        hands = {s: track[frame] for s, track in given.items()} if are_given(frame) else {}
        joints = filters.expect(hands, float(stamp), settings)
        estimate = filters.settle(EstimatedJoints.as_given(HandPair(**joints)))
        milliseconds.append(1e3 * (time.perf_counter() - started))
        for side, xyz in estimate.joints.present.items():
            out[side][frame] = xyz
    return out, milliseconds


def _tracked(motion: Motion, seed: int, noise: float, lasting: bool) -> Tracks:
    errors = TRACKER_ERRORS if lasting else None
    return {
        side: track_with_errors(
            track, RATE, np.random.default_rng((seed, number)), noise=noise, errors=errors
        )
        for number, (side, track) in enumerate(motion.keypoints.items())
    }


def _scores(out: Tracks, true: Tracks) -> list[StreamScores]:
    found = []
    for side, track in true.items():
        error = (out[side] - track)[_UNSCORED:]
        tremble = np.linalg.norm(np.diff(error, 2, axis=0), axis=-1).mean()
        far = np.linalg.norm(error, axis=-1).mean()
        found.append(StreamScores(1e3 * float(far), 1e3 * float(tremble)))
    return found
