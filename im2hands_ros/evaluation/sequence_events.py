"""Events in a stream: hands that are lost and come back, that cross, and that move steadily."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.evaluation.sequences import RATE, Tracks, followed
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.motion import draw_motion
from im2hands_ros.tracking.association import exchange

_SECONDS, _NOISE = 20.0, 0.010
_EVENTS = 20
_DROPOUT = 0.5  # seconds
# A tracker confuses the sides from so long before a crossing until so long after it, seconds.
_CONFUSED = 0.15
_SETTLED = 0.2  # seconds after that until sides must be right
_SPEED = 1.0  # m/s, at most, of the hand whose lag is measured
_SWINGS_PER_SECOND = 0.8


def dropouts(seed: int = 100) -> dict[str, float]:
    """Mean joint distance in the frames after hands came back, millimetres, beside the tracker's.

    Every second both hands are lost for half of it.
    """
    motion = draw_motion(_SECONDS, seed, RATE)
    rng = np.random.default_rng(seed)
    given = _noisy(motion.keypoints, rng)
    lost = round(_DROPOUT * RATE)
    period = 2 * lost

    def are_given(frame: int) -> bool:
        return frame % period < period - lost

    out, _ = followed(motion.stamps, given, are_given)
    true = motion.keypoints
    first = np.arange(period, len(motion), period)
    row = {"tracker_mm": _distance(given, true, first)}
    names = ("first_frame_mm", "second_frame_mm", "tenth_frame_mm")
    for name, later in zip(names, (0, 1, 9), strict=True):
        row[name] = _distance(out, true, first + later)
    return row


def crossings(seed: int = 200) -> dict[str, int]:
    """Hands that cross, of which the tracker confuses the sides meanwhile: how often in single
    frames, and how often they are still confused a moment later."""
    motion = draw_motion(_SECONDS, seed, RATE, crossings=_EVENTS)
    rng = np.random.default_rng(seed)
    given = _noisy(motion.keypoints, rng)
    middles = (np.arange(_EVENTS) + 0.5) * _SECONDS / _EVENTS
    since = motion.stamps[:, None] - middles
    confused = (np.abs(since) < _CONFUSED).any(axis=1) & (rng.random(len(motion)) < 0.5)
    given = {
        side: np.where(confused[:, None, None], exchange(given)[side], given[side])
        for side in SIDES
    }
    out, _ = followed(motion.stamps, given)
    settled = ((since > _CONFUSED + _SETTLED) & (since < 0.5 * _SECONDS / _EVENTS)).any(axis=1)
    wrong = _swapped(out, motion.keypoints)
    return {
        "crossings": _EVENTS,
        "tracker_swapped_frames": int(_swapped(given, motion.keypoints).sum()),
        "swapped_frames": int(wrong.sum()),
        "swapped_later_frames": int((wrong & settled).sum()),
    }


def lag(seed: int = 300) -> dict[str, float]:
    """How far the hand is behind, milliseconds, while it swings at up to 1 m/s."""
    motion = draw_motion(_SECONDS, seed, RATE)
    turns = 2 * np.pi * _SWINGS_PER_SECOND
    swing = _SPEED / turns * np.sin(turns * motion.stamps)
    still = {side: np.repeat(track[:1], len(track), 0) for side, track in motion.keypoints.items()}
    sideways = np.zeros((len(swing), 1, 3), np.float32)
    sideways[:, 0, 0] = swing
    true = {side: track + sideways for side, track in still.items()}
    given = _noisy(true, np.random.default_rng(seed))
    out, _ = followed(motion.stamps, given)
    velocity = _SPEED * np.cos(turns * motion.stamps)
    behind = [
        -float((out[s] - true[s]).mean(axis=1)[:, 0] @ velocity / (velocity @ velocity))
        for s in SIDES
    ]
    return {"lag_ms": round(1e3 * float(np.mean(behind)), 2)}


def _noisy(tracks: Tracks, rng: np.random.Generator) -> Tracks:
    return {s: (t + rng.normal(0, _NOISE, t.shape)).astype(np.float32) for s, t in tracks.items()}


def _distance(out: Tracks, true: Tracks, frames: NDArray[np.int64]) -> float:
    frames = frames[frames < len(true["left"])]
    off = [np.linalg.norm(out[s][frames] - true[s][frames], axis=-1).mean() for s in SIDES]
    return round(1e3 * float(np.mean(off)), 2)


def _swapped(out: Tracks, true: Tracks) -> NDArray[np.bool_]:
    """(T,) frames in which the hands lie nearer to the other one's joints."""
    own = sum(np.linalg.norm(out[s] - true[s], axis=-1).mean(axis=1) for s in SIDES)
    other = exchange(true)
    across = sum(np.linalg.norm(out[s] - other[s], axis=-1).mean(axis=1) for s in SIDES)
    return np.asarray(across < own)
