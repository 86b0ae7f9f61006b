"""OpenXR's joints of both hands by the names that IsaacTeleop gives them."""

from __future__ import annotations

import numpy as np
from two_hands import joints

FINGERS = {"INDEX": 5, "MIDDLE": 9, "RING": 13, "LITTLE": 17}


def named(side: str) -> dict[str, np.ndarray]:
    """25 joints as the publisher calls them, in its order."""
    xyz = joints(side)
    places = {"WRIST": xyz[0]}
    thumb = ("METACARPAL", "PROXIMAL", "DISTAL", "TIP")
    places |= {f"THUMB_{bone}": xyz[1 + level] for level, bone in enumerate(thumb)}
    for finger, first in FINGERS.items():
        places[f"{finger}_METACARPAL"] = (xyz[0] + xyz[first]) / 2
        for level, bone in enumerate(("PROXIMAL", "INTERMEDIATE", "DISTAL", "TIP")):
            places[f"{finger}_{bone}"] = xyz[first + level]
    return {f"{side}_{name}": place for name, place in places.items()}


BOTH = named("left") | named("right")
