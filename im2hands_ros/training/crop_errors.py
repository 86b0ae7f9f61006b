"""How the crops and the hints that the landmark network learns from are wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from im2hands_ros.networks.compact.landmark_regions import FloatArray
from im2hands_ros.skeleton import MIDDLE_MCP, WRIST


@dataclass(frozen=True)
class CropErrors:
    """How crops and hints are wrong: ``crops`` in a plan's YAML file; lengths in palms.

    noise: least and largest deviation of the joints. shift: of the whole hand; turn: radians;
    size: of its logarithm. lone_share: of hands alone or apart that are used. wrong_side_share: of
    hands shown as of the other side. absent_share: of crops beside the hand. seen_share: of crops
    whose hint is what a network saw there: its errors are of one piece, as they are in a detector.
    ghost_share: of crops with hints of a second hand where there is only the first, mirrored.
    unknown_share: of crops without hints, as in a search; their shift, turn and size are off by
    unknown_spread times as much, and more of them are of the wrong side or show no hand.
    """

    noise: tuple[float, float] = (0.02, 0.2)
    shift: float = 0.08
    turn: float = 0.1
    size: float = 0.08
    lone_share: float = 0.4
    wrong_side_share: float = 0.08
    absent_share: float = 0.04
    seen_share: float = 0.0
    ghost_share: float = 0.0
    unknown_share: float = 0.0
    unknown_spread: float = 2.5
    unknown_wrong_side_share: float = 0.35
    unknown_absent_share: float = 0.25

    def of_unknown(self) -> CropErrors:
        """Errors of the crops of a search."""
        spread = self.unknown_spread
        return replace(
            self,
            shift=spread * self.shift,
            turn=spread * self.turn,
            size=spread * self.size,
            wrong_side_share=self.unknown_wrong_side_share,
            absent_share=self.unknown_absent_share,
            seen_share=0.0,
        )


def shaken(joints: FloatArray, errors: CropErrors, rng: np.random.Generator) -> FloatArray:
    """(21, 2) joints as a tracker might have them."""
    length = float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]))
    palm = max(length, 0.3 * float(np.ptp(joints, axis=0).max()))
    low, high = errors.noise
    sigma = low * (high / low) ** rng.random()
    turn, size = rng.normal(0, errors.turn), np.exp(rng.normal(0, errors.size))
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = joints.mean(0)
    shift = rng.normal(0, errors.shift, 2) * palm
    noise = rng.normal(0, sigma * palm, joints.shape)
    return centre + (joints - centre) @ linear.T + shift + noise
