"""Lens models by the names that drivers and calibration files use, and their inverse.

OpenCV takes 4, 5, 8, 12 or 14 coefficients of one family (radial, tangential, rational, thin
prism, tilt) and the four of the equidistant fisheye; names only say which family it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_OPENCV_COUNTS, _FISHEYE_COUNTS = (4, 5, 8, 12, 14), (4,)
COEFFICIENT_COUNTS = {
    "none": (0,),
    "plumb_bob": _OPENCV_COUNTS,
    "rational_polynomial": _OPENCV_COUNTS,
    "equidistant": _FISHEYE_COUNTS,
}
# As others call them: Kalibr, OpenCV, librealsense, Basalt, COLMAP, ORB-SLAM.
_OTHER_NAMES = {
    "radtan": "plumb_bob",
    "pinhole_radtan": "plumb_bob",
    "opencv": "plumb_bob",
    "brown_conrady": "plumb_bob",
    "rational": "rational_polynomial",
    "full_opencv": "rational_polynomial",
    "fisheye": "equidistant",
    "opencv_fisheye": "equidistant",
    "equi": "equidistant",
    "pinhole_equi": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
    "kannala_brandt8": "equidistant",
    "kannalabrandt8": "equidistant",
    "kb4": "equidistant",
}
_NEWTON_STEPS = 20
_STEPS_OUTWARDS = 24
_DIFFERENCE = 1e-6  # of the numerical derivative, focal lengths


def canonical(model: str, coefficients: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """A model by its name here, and its coefficients without zeros that it has no place for.

    An empty name with coefficients is OpenCV's family, as `image_geometry` takes it.

    Raises:
        ValueError: an unknown model, or a number of coefficients that it has not.
    """
    name = _name(model) or ("plumb_bob" if len(coefficients) else "none")
    counts = COEFFICIENT_COUNTS.get(name)
    if counts is None:
        known = ", ".join((*COEFFICIENT_COUNTS, *_OTHER_NAMES))
        raise ValueError(f"distortion model '{model}' is unknown: use one of {known}")
    fitting = [n for n in counts if n <= len(coefficients) and not any(coefficients[n:])]
    if not fitting:
        raise ValueError(
            f"distortion model '{model}' has {len(coefficients)} "
            f"coefficients, needs {' or '.join(map(str, counts))}"
        )
    return name, tuple(coefficients[: fitting[-1]])


def is_fisheye(model: str) -> bool:
    """Whether a model is a fisheye by its name: it bends rays with coefficients of zero, too."""
    return _name(model) == "equidistant"


def _name(model: str) -> str:
    """A model's name here, or as it is."""
    plain = model.strip(" \0").lower().replace("-", "_").replace(" ", "_")
    return _OTHER_NAMES.get(plain, plain)


def distort(
    normalised: np.ndarray,
    K: np.ndarray,
    model: str,
    coefficients: Sequence[float],
) -> np.ndarray:
    """(N, 2) image-plane coordinates x/z, y/z to (N, 2) pixels."""
    d = np.asarray(coefficients, np.float64)
    if model == "equidistant":
        points = np.ascontiguousarray(normalised, np.float64)[:, None]
        return cv2.fisheye.distortPoints(points, K, d)[:, 0]
    rays = np.concatenate([normalised, np.ones((len(normalised), 1))], axis=1)
    zero = np.zeros(3)
    return cv2.projectPoints(rays, zero, zero, K, d)[0][:, 0]


def undistort(
    pixels: np.ndarray,
    K: np.ndarray,
    model: str,
    coefficients: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) pixels to (N, 2) image-plane coordinates, and (N,) whether the lens maps them back.

    OpenCV's own inverse ends after a few steps, pixels away with a strong lens: it is the start
    of Newton's method here. Where the model folds (its radius shrinks outwards) or never reaches a
    pixel there is no inverse, and the best found is returned.
    """
    inverse = cv2.fisheye.undistortPoints if model == "equidistant" else cv2.undistortPoints
    found = inverse(pixels[:, None], K, np.asarray(coefficients, np.float64))[:, 0]
    determinant = np.ones(len(pixels))
    with np.errstate(all="ignore"):
        left = distort(found, K, model, coefficients) - pixels
        for _ in range(_NEWTON_STEPS):
            step, determinant = _newton_step(found, left, K, model, coefficients)
            remaining = distort(found - step, K, model, coefficients) - pixels
            better = np.hypot(*remaining.T) < np.hypot(*left.T)
            if not better.any():
                break
            found = np.where(better[:, None], found - step, found)
            left = np.where(better[:, None], remaining, left)
        good = (np.hypot(*left.T) < 0.1) & (determinant > 0)
    return found, good


def folds_before(
    places: np.ndarray, K: np.ndarray, model: str, coefficients: Sequence[float]
) -> np.ndarray:
    """Whether the lens folds between its axis and each of (N, 2) image-plane coordinates.

    Behind a fold the radius may grow again: pixels that are not the picture's any more.
    """
    folded = np.zeros(len(places), bool)
    with np.errstate(all="ignore"):
        for share in np.linspace(0, 1, _STEPS_OUTWARDS + 1)[1:]:
            at = share * places
            _, determinant = _newton_step(at, np.zeros_like(at), K, model, coefficients)
            folded |= ~(determinant > 0)
    return folded


def _newton_step(
    at: np.ndarray,
    left: np.ndarray,
    K: np.ndarray,
    model: str,
    coefficients: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) step and (N,) determinant of d pixel / d place, which is negative behind a fold."""
    a, b = (
        (
            distort(at + offset, K, model, coefficients)
            - distort(at - offset, K, model, coefficients)
        )
        / (2 * _DIFFERENCE)
        for offset in _DIFFERENCE * np.eye(2)
    )
    determinant = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
    across = left[:, 0] * b[:, 1] - left[:, 1] * b[:, 0]
    down = a[:, 0] * left[:, 1] - a[:, 1] * left[:, 0]
    return np.stack([across, down], axis=1) / determinant[:, None], determinant
