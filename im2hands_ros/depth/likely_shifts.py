"""How far each hand must move along its rays to explain a depth image, before its shape is used.

Of all pairs of steps of the two hands the likeliest: at each pixel the nearer hand's skin is seen,
or something that the image does not take for a hand; nothing is seen through a hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.depth.hand_spheres import Fronts, fronts_of
from im2hands_ros.depth.pixels import DepthPixels
from im2hands_ros.kernels import library
from im2hands_ros.kernels.depth import best_steps

Array = NDArray[np.float64]

# Steps that are tried, metres: far ones, far ones again with what hides what as it is, close ones.
_FAR, _CLOSE = np.arange(-0.12, 0.1201, 0.008), np.arange(-0.016, 0.0161, 0.002)
_USUAL = 0.02  # standard deviation of a hand's distance, metres
_UNEVEN = 0.008  # and of the skin from spheres
_RANGE = 0.3  # metres in which anything else may be
_BEHIND = 2 * _UNEVEN  # farther behind a hand nothing is seen but by a mistake, and how rarely
_MISTAKES = 0.02
# Pixels of one hand go wrong together: each counts as so much, and all of them as so many.
_WEIGHT, _COUNT = 0.05, 80.0
_CHANCES = (_USUAL, _UNEVEN, _RANGE, _BEHIND, _MISTAKES, _WEIGHT, _COUNT)
_MOST_PIXELS = 800  # that are looked at


def likely_shifts(
    pixels: DepthPixels, joints: Mapping[str, Array], shown: Array
) -> dict[str, Array]:
    """By which each hand's joints must move to lie roughly under their skin.

    Args:
        pixels: of the depth image.
        joints: by side (21, 3) metres, camera frame.
        shown: (N,) probability that the image shows a hand at a pixel.

    Returns:
        By side (3,) metres, along the ray to the hand.
    """
    every = max(1, len(pixels.depth) // _MOST_PIXELS)
    rays, depth, shown = pixels.rays[::every], pixels.depth[::every], shown[::every]
    shifts = {side: np.zeros(3) for side in joints}
    for tried in (_FAR, _FAR, _CLOSE):
        placed = {side: xyz + shifts[side] for side, xyz in joints.items()}
        fronts = {side: fronts_of(xyz, rays) for side, xyz in placed.items()}
        for side, step in _best_steps(depth, fronts, shown, tried).items():
            centre = placed[side].mean(axis=0)
            shifts[side] = shifts[side] + step * centre / centre[2]
    return shifts


def _best_steps(
    depth: Array, fronts: Mapping[str, Fronts], shown: Array, tried: Array
) -> dict[str, float]:
    """The likeliest step of each hand, metres."""
    kernels = library.chosen()
    if kernels:
        limbs = np.stack([each.limb for each in fronts.values()])
        cores = np.stack([each.core for each in fronts.values()])
        best = best_steps(kernels, depth, limbs, cores, shown, tried, _CHANCES)
    else:
        best = steps_in_numpy(depth, list(fronts.values()), shown, tried)
    return dict(zip(fronts, best.tolist(), strict=True))


def steps_in_numpy(depth: Array, fronts: list[Fronts], shown: Array, tried: Array) -> Array:
    """(H,) the likeliest of the tried steps (S,) of each hand; depth, shown: (N,) of pixels."""
    prior = -0.5 * (tried / _USUAL) ** 2
    met = np.stack([np.isfinite(each.limb) for each in fronts])
    only = met & (met.sum(axis=0) == 1)
    weight = min(_WEIGHT, _COUNT * len(fronts) / max(int(met.any(axis=0).sum()), 1))
    alone: list[Array] = [
        weight * _log_likelihoods(depth, [each], shown, tried, own) + prior
        for each, own in zip(fronts, only, strict=True)
    ]
    if len(alone) == 1:
        best: tuple[np.intp, ...] = (alone[0].argmax(),)
    else:
        both = _log_likelihoods(depth, fronts, shown, tried, np.logical_and(*met))
        total = alone[0][:, None] + alone[1] + weight * both
        best = np.unravel_index(total.argmax(), total.shape)
    return tried[np.array(best)]


def _log_likelihoods(
    depth: Array, fronts: list[Fronts], shown: Array, tried: Array, used: NDArray[np.bool_]
) -> Array:
    """(S,) or (S, S): of the used pixels, of hands moved by each of the tried steps."""
    # Axes: a step of each hand, then pixels.
    axes = [np.s_[:, None], np.s_[None, :]] if len(fronts) == 2 else [np.s_[:]]
    steps = tried.astype(np.float32)[:, None]
    off = [(depth - each.limb)[used].astype(np.float32) - steps for each in fronts]
    through = [(depth - each.core)[used].astype(np.float32) - steps > _BEHIND for each in fronts]
    fits = [np.exp(-0.5 * (each / _UNEVEN) ** 2) / (2.5 * _UNEVEN) for each in off]
    off, through, fits = (
        [each[axis] for each, axis in zip(values, axes, strict=True)]
        for values in (off, through, fits)
    )
    share = shown[used].astype(np.float32)
    if len(fronts) == 2:
        seen, hidden = np.where(off[0] > off[1], *fits), through[0] | through[1]
    else:
        seen, hidden = fits[0], through[0]
    likelihood = np.where(hidden, 0, share * seen + (1 - share) / _RANGE) + _MISTAKES / _RANGE
    return np.asarray(np.log(likelihood).sum(axis=-1), np.float64)
