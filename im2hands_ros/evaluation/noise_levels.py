"""The lines of an evaluation: names of methods, and the noise on the keypoints they are given."""

from __future__ import annotations

from typing import NamedTuple

# Everything that the weights hold, whatever that is.
NETWORK = "network"
# The stages that run, in the order of a frame: keypoints are refined first, occupancies last.
STAGED = ("initial", "initial+refinement", "keypoints+initial", "keypoints+initial+refinement")
BASELINES = ("capsules", "skinned", "fitted")
METHODS = (NETWORK, *STAGED, *BASELINES)
ERRORS = ("gaussian", "tracker")
NoiseLevel = float | None


class Configuration(NamedTuple):
    """One line: a method and the noise on its keypoints.

    noise_mm: standard deviation of Gaussian noise on every coordinate, millimetres; None: the
        errors of a tracker instead.
    """

    method: str
    noise_mm: NoiseLevel


def parse_levels(noise: str, errors: str) -> list[NoiseLevel]:
    """Levels of --noise where --errors has gaussian, and None where it has tracker.

    Raises ValueError with the option and the value that cannot be used.
    """
    kinds = errors.split(",")
    for kind in kinds:
        if kind not in ERRORS:
            raise ValueError(f"--errors: '{kind}' is not one of {', '.join(ERRORS)}")
    levels: list[NoiseLevel] = list(_millimetres(noise)) if "gaussian" in kinds else []
    return levels + [None] * ("tracker" in kinds)


def parse_methods(text: str) -> list[str]:
    """The names of --methods. Raises ValueError with the one that is unknown."""
    names = text.split(",")
    for name in names:
        if name not in METHODS:
            raise ValueError(f"--methods: '{name}' is not one of {', '.join(METHODS)}")
    return names


def _millimetres(text: str) -> list[float]:
    try:
        levels = [float(value) for value in text.split(",")]
    except ValueError:
        raise ValueError(f"--noise {text}: give millimetres like 0,5,10") from None
    if any(not 0 <= level <= 100 for level in levels):
        raise ValueError(f"--noise {text}: give millimetres from 0 to 100")
    return levels
