"""Where trackers put a hand's joints, and from there to where this package's networks have them.

The offsets are constant in the joints' frames. They were found by `tools/fit_convention.py`: so
moved, the joints of a rig lie under its skin as this package's own lie under theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from im2hands_ros.joint_frames import moved_joints
from im2hands_ros.skeleton import JOINT_COUNT

TABLE = Path(__file__).parent / "data" / "keypoint_conventions.yaml"
AUTO, OWN, DETECTED = "auto", "mano", "mediapipe"
CONVENTIONS = (OWN, DETECTED, "openxr", "leap", "interhand")
"""The names of `skeleton.ORDER_NAMES` and those of trackers that use one of these orders."""


def chosen_convention(setting: str, given: str) -> str:
    """The convention of joints.

    Args:
        setting: the parameter ``keypoint_convention``.
        given: what follows from the joints' order, or from who found them.

    Raises:
        ValueError: an unknown name.
    """
    name = given if setting == AUTO else setting
    if name not in CONVENTIONS:
        known = ", ".join((AUTO, *CONVENTIONS))
        raise ValueError(f"keypoint_convention '{name}' is unknown: use one of {known}")
    return name


def convention_offsets(name: str) -> NDArray[np.float64] | None:
    """(21, 3) metres, as `joint_frames.moved_joints` takes them; None where nothing is to move:
    for the package's own convention and for those of which no free hand is known."""
    return _table().get(name)


def in_own_convention(
    hands: Mapping[str, NDArray[np.float32]], name: str
) -> dict[str, NDArray[np.float32]]:
    """Hands of one convention in the package's own.

    Args:
        hands: by side (21, 3) metres, MANO order.
        name: one of ``CONVENTIONS``.
    """
    offsets = convention_offsets(name)
    if offsets is None:
        return dict(hands)
    return {side: moved_joints(xyz, side, offsets) for side, xyz in hands.items()}


@cache
def _table() -> dict[str, NDArray[np.float64]]:
    read = yaml.safe_load(TABLE.read_text()) or {}
    table = {name: 1e-3 * np.array(each["offsets_mm"]) for name, each in read.items()}
    for name, offsets in table.items():
        if name not in CONVENTIONS or offsets.shape != (JOINT_COUNT, 3):
            raise ValueError(f"{TABLE}: '{name}' is no table of (21, 3) offsets of a known name")
    return table
