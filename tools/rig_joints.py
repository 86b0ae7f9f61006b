"""Names of a hand's joints in rigs of several makes. A part of `bake_other_hand.py`.

Each make lists the 20 joints of the packaged hand (wrist, three of the thumb, four of each finger)
and the five tips. None: the rig has no such joint.
"""

from collections.abc import Sequence
from typing import NamedTuple

FINGERS = ("index", "middle", "ring", "pinky")


class Make(NamedTuple):
    """Names of one make of rigs.

    joints: 20; tips: 5; has_axes: its bones are turned as WebXR says; behind: the wrist lies that
    share of the way from the middle knuckle to the rig's wrist joint further on; also: more names
    that tell it from others.
    """

    joints: tuple[str | None, ...]
    tips: tuple[str | None, ...]
    has_axes: bool = False
    behind: float = 0.0
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All that the rig must have."""
        return tuple(name for name in (*self.joints, *self.tips, *self.also) if name is not None)


def _make(
    wrist: str,
    thumb: Sequence[str],
    finger: Sequence[str | None],
    fingers: Sequence[str] = FINGERS,
    has_axes: bool = False,
    behind: float = 0.0,
    also: tuple[str, ...] = (),
) -> Make:
    """A make from the names of its thumb's joints and tip, and those of a finger with {}."""
    named = [[part and part.format(name) for part in finger] for name in fingers]
    joints = (wrist, *thumb[:3], *(part for chain in named for part in chain[:4]))
    return Make(joints, (thumb[3], *(chain[4] for chain in named)), has_axes, behind, also)


_PARTS = ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
WEBXR = _make(
    "wrist",
    [f"thumb-{part}" for part in ("metacarpal", "phalanx-proximal", "phalanx-distal", "tip")],
    [f"{{}}-finger-{part}" for part in _PARTS],
    has_axes=True,
)
_OPENXR = ("Metacarpal", "Proximal", "Intermediate", "Distal", "Tip")
_LITTLE = ("Index", "Middle", "Ring", "Little")
_SHIFTED = ("proximal", "intermediate", "distal", "tip", "tip_end")
MAKES = {
    "WebXR": WEBXR,
    "Godot XR Tools": _make(
        "Wrist_R",
        [f"Thumb_{part}_R" for part in ("Metacarpal", "Proximal", "Distal", "Tip")],
        [f"{{}}_{part}_R" for part in _OPENXR],
        _LITTLE,
    ),
    "UX Tools": _make(
        "Wrist",
        [f"Thumb{part}" for part in ("Metacarpal", "Proximal", "Distal", "Tip")],
        [f"{{}}{part}" for part in _OPENXR],
        _LITTLE,
    ),
    # Bones there are named after the joint that they begin behind.
    "MRTK": _make(
        "thumb_metacarpal",
        [f"thumb_{part}" for part in ("proximal", "distal", "tip", "tip_end")],
        [f"{{}}_{part}" for part in _SHIFTED],
        ("index", "middle", "ring", "little"),
    ),
    "SteamVR": _make(
        "wrist_r",
        ["finger_thumb_0_r", "finger_thumb_1_r", "finger_thumb_2_r", "finger_thumb_r_end"],
        [f"finger_{{}}_{part}_r" for part in ("meta", "0", "1", "2")] + ["finger_{}_r_end"],
    ),
    # Its wrist's joint lies in the middle of the palm.
    "Leap, hand alone": _make(
        "Wrist",
        [f"Finger_0{part}" for part in range(4)],
        [None, *(f"Finger_{{}}{part}" for part in range(4))],
        ("1", "2", "3", "4"),
        behind=0.9,
    ),
    "Leap, with an arm": _make(
        "Wrist",
        [f"Finger_0{part}" for part in range(4)],
        [None, *(f"Finger_{{}}{part}" for part in range(4))],
        ("1", "2", "3", "4"),
        also=("Forearm_01",),
    ),
    "Leap, old hand": Make(
        (
            "Wrist1", "Finger_04", "Finger_05", "Finger_06",
            None, "Finger_44", "Finger_45", "Finger_46",
            None, "Finger_48", "Finger_49", "Finger_50",
            None, "Finger_52", "Finger_53", "Finger_54",
            None, "Finger_56", "Finger_57", "Finger_58",
        ),
        ("Finger_07", "Finger_47", "Finger_51", "Finger_55", "Finger_59"),
        behind=0.9,
    ),
    "A-Frame": _make(
        "Palm",
        ["Ta", "Tb", "Tc", None],
        [None, "F{}a", "F{}b", "F{}c", None],
        ("1", "2", "3", "4"),
    ),
}  # fmt: skip


def make_of(names: Sequence[str], source: object) -> Make:
    """The make of a rig with joints of these names. Raises ValueError with what is missing."""
    found = [make for make in MAKES.values() if set(make.names) <= set(names)]
    if not found:
        nearest = min(MAKES.values(), key=lambda make: len(set(make.names) - set(names)))
        absent = [name for name in nearest.names if name not in names]
        raise ValueError(f"{source} has no joint {', '.join(absent)}: names of a known rig needed")
    return max(found, key=lambda make: len(make.names))
