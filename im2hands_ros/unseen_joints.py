"""Where the joints that a tracker has not seen probably are, from those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.skeleton import JOINT_COUNT, SIDES

Shares = NDArray[np.float32]  # (21,) confidence in [0, 1], MANO order; 0: not seen
Joints = NDArray[np.float32]  # (21, 3) metres, MANO order; a joint that was not seen is NaN

MOST_UNSEEN = 0.5  # share of the joints; a hand of which less was seen is absent

_STATISTICS = Path(__file__).parent / "data" / "joint_statistics.npz"
_TRACKER_NOISE = 0.003  # metres
_ROUNDS = 3  # of laying the hand onto the mean and estimating what it lacks


def seen_joints(xyz: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which of (..., 3) joints are finite."""
    seen: NDArray[np.bool_] = np.isfinite(xyz).all(axis=-1)
    return seen


def joint_shares(
    keypoints: Mapping[str, NDArray[np.floating] | None],
    confidence: Mapping[str, Shares | None] | None,
) -> dict[str, Shares]:
    """Confidence of the joints of each present hand that is not sure of them all.

    Args:
        keypoints: side -> (21, 3) as given, NaN where not seen; None: absent.
        confidence: side -> (21,) as given; None: unknown, that is 1.
    """
    shares = {}
    for side in SIDES:
        xyz, given = keypoints.get(side), (confidence or {}).get(side)
        if xyz is None:
            continue
        known = np.float32(1) if given is None else np.asarray(given, np.float32)
        known = np.where(seen_joints(np.asarray(xyz)), known, np.float32(0))
        if (known < 1).any():
            shares[side] = known
    return shares


def fill_unseen(xyz: Joints, side: str) -> Joints:
    """The joints with estimates in place of those that are NaN or infinite.

    The expected places given the seen ones, where hands are normally distributed about a mean hand
    (`tools/joint_statistics.py`): the tip of a bent finger is where bent fingers have it.

    Args:
        xyz: (21, 3) metres, any frame, MANO order; at least three joints are finite.
        side: "left" or "right".

    Returns:
        (21, 3) float32; seen joints as they were.
    """
    seen = seen_joints(xyz)
    if seen.all():
        return xyz
    mean, covariance = _statistics(side)
    known = np.repeat(seen, 3)
    noise = _TRACKER_NOISE**2 * np.eye(int(known.sum()))
    gain = np.linalg.solve(covariance[np.ix_(known, known)] + noise, covariance[known]).T
    filled = np.where(seen[:, None], xyz, 0).astype(np.float64)
    filled[~seen] = laid_onto(filled[seen], mean[seen], mean)[~seen]
    for _ in range(_ROUNDS):
        aligned = laid_onto(mean, filled)
        expected = mean + (gain @ (aligned - mean).ravel()[known]).reshape(-1, 3)
        filled[~seen] = laid_onto(filled, aligned, expected)[~seen]
    return np.where(seen[:, None], xyz, filled).astype(np.float32)


def laid_onto(
    target: NDArray[np.floating],
    source: NDArray[np.floating],
    points: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Points, or the source, after the rigid motion that lays source onto target (Kabsch 1976).

    Args:
        target, source: (N, 3).
        points: (M, 3) in the source's frame.
    """
    to, of = target.mean(0, np.float64), source.mean(0, np.float64)
    u, _, vt = np.linalg.svd((target - to).T @ (source - of))
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    moved: NDArray[np.float64] = ((source if points is None else points) - of) @ (u @ vt).T + to
    return moved


@cache
def _statistics(side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(21, 3) mean and (63, 63) covariance of a side's joints, metres."""
    with np.load(_STATISTICS, allow_pickle=False) as file:
        mean, covariance = file["mean"].astype(np.float64), file["covariance"].astype(np.float64)
    if side == "left":
        mirror = np.array([-1.0, 1.0, 1.0])
        signs = np.tile(mirror, JOINT_COUNT)
        return mean * mirror, covariance * np.outer(signs, signs)
    return mean, covariance
