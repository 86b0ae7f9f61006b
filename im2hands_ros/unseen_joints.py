"""Where the joints that a tracker has not seen, or hardly, probably are, from all the others."""

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
_TRACKER_NOISE = 0.003  # metres, of the surest joint of a hand; others more, by their confidence
_DOUBTFUL = 0.5  # of the surest joint's confidence
_ROUNDS = 3  # of laying the hand onto the mean and estimating what it lacks


def seen_joints(xyz: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which of (..., 3) joints are finite."""
    seen: NDArray[np.bool_] = np.isfinite(xyz).all(axis=-1)
    return seen


def zeros_as_unseen(xyz: Joints) -> Joints:
    """(21, 3) joints with NaN for those at the camera's own centre, where trackers put lost ones.

    Joints that lie around it are relative to one of them, and stay as they are.
    """
    lost = (xyz == 0).all(axis=-1)
    if not 0 < lost.mean() <= MOST_UNSEEN or lie_around_origin(xyz[~lost]):
        return xyz
    return np.where(lost[:, None], np.float32(np.nan), xyz)


def lie_around_origin(xyz: NDArray[np.floating]) -> bool:
    """Whether (N, 3) joints of any unit, some may be NaN, lie nearer there than they are apart."""
    xyz = xyz[seen_joints(xyz)]
    if not len(xyz):
        return False
    return bool(np.linalg.norm(xyz.mean(0)) < np.linalg.norm(np.ptp(xyz, axis=0)))


def joint_shares(
    keypoints: Mapping[str, NDArray[np.floating] | None],
    confidence: Mapping[str, Shares | None] | None,
) -> dict[str, Shares]:
    """Confidence of the joints of each present hand where it is not 1 for all of them.

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


def estimate_doubtful(xyz: Joints, side: str, shares: Shares | None = None) -> Joints:
    """The joints with estimates in place of those that were not seen, or hardly.

    The expected places given all that was seen, where hands are normally distributed about a mean
    hand (`tools/joint_statistics.py`): the tip of a bent finger is where bent fingers have it.
    Joints with less than half the confidence of the hand's best are estimated, their own place
    being one measurement of many.

    Args:
        xyz: (21, 3) metres, any frame, MANO order, NaN where not seen; half of them are finite.
        side: "left" or "right".
        shares: confidence of the joints; None: 1.

    Returns:
        (21, 3) float32; the other joints as they were.
    """
    seen = seen_joints(xyz)
    confidence = np.where(seen, 1.0 if shares is None else shares, 0)
    doubtful = confidence < _DOUBTFUL * confidence.max()
    if not doubtful.any():
        return xyz
    mean, gain = _gain(side, confidence / confidence.max())
    measured = np.where(seen[:, None], xyz, 0).astype(np.float64)
    estimate = measured.copy()
    estimate[doubtful] = laid_onto(measured[~doubtful], mean[~doubtful], mean)[doubtful]
    for _ in range(_ROUNDS):
        aligned = laid_onto(mean, estimate)
        residuals = (laid_onto(aligned, estimate, measured) - mean)[confidence > 0]
        expected = mean + (gain @ residuals.ravel()).reshape(-1, 3)
        estimate[doubtful] = laid_onto(estimate, aligned, expected)[doubtful]
    return np.where(doubtful[:, None], estimate, xyz).astype(np.float32)


def _gain(
    side: str, confidence: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(21, 3) mean, and (63, 3 K) gain on the residuals of the K joints with some confidence."""
    mean, covariance = _statistics(side)
    known = np.repeat(confidence > 0, 3)
    noise = np.repeat((_TRACKER_NOISE / confidence[confidence > 0]) ** 2, 3)
    gain = np.linalg.solve(covariance[np.ix_(known, known)] + np.diag(noise), covariance[known]).T
    return mean, gain


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
