"""What `im2hands calibrate` finds: where a tracker has its joints, how a person's hands are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from im2hands_ros.joint_frames import moved_joints
from im2hands_ros.keypoint_convention import CONVENTIONS
from im2hands_ros.skeleton import JOINT_COUNT, JOINT_NAMES, LINKS, SIDES

Array = NDArray[np.float64]

FORMAT = "im2hands hand calibration 1"
# Beyond these a file is damaged or was edited, metres.
_LARGEST_OFFSET, _LARGEST_THICKNESS, _LONGEST_BONE = 0.05, 0.02, 0.25


class HandShape(NamedTuple):
    """A person's flesh, as far as joints do not say it; for one set of weights.

    Attributes:
        code: (C,) added to the networks' code of the hand.
        thickness: (20,) metres that is added around the bones of the decoder.
        fingerprint: of the weights that the code belongs to.
    """

    code: Array
    thickness: Array
    fingerprint: str


@dataclass(frozen=True, eq=False)
class HandCalibration:
    """A tracker and a person.

    Attributes:
        convention: of the joints that the offsets are for, as `keypoint_convention` has it.
        offsets: (21, 3) metres in the joints' frames, all that such joints are to move.
        lengths: (24,) metres in the order of `skeleton.LINKS`, after the offsets.
        shape: of the flesh; None: the networks' own.
        sides: the hands that it was made from.
        record: how, from what, and how good it is.
    """

    convention: str
    offsets: Array
    lengths: Array
    shape: HandShape | None
    sides: tuple[str, ...]
    record: dict[str, Any] = field(default_factory=dict)

    def own_joints(self, joints: NDArray[np.floating], side: str) -> NDArray[np.float32]:
        """(21, 3) joints of the tracker, metres, where this package's networks have them."""
        return moved_joints(joints, side, self.offsets)

    def other_tracker(self, convention: str) -> str:
        """Says that joints of this convention are not those that the offsets are for; or empty."""
        if convention == self.convention:
            return ""
        return (
            f"the calibration is for joints of '{self.convention}', these are of '{convention}': "
            "its offsets are left out, bone lengths and shape are used; calibrate with this "
            "tracker, or set keypoint_convention"
        )

    def missing_side(self) -> str:
        """Says which hand it was not made from; or empty."""
        if len(self.sides) != 1:
            return ""
        (side,) = self.sides
        other = SIDES[1 - SIDES.index(side)]
        return (
            f"the calibration was made from the {side} hand alone: the {other} one is taken for "
            "its mirror image"
        )

    def write(self, path: Path) -> None:
        """Write a YAML file, whole or not at all."""
        joints = zip(JOINT_NAMES, self.offsets, strict=True)
        values: dict[str, Any] = {
            "format": FORMAT,
            "convention": self.convention,
            "sides": list(self.sides),
            "offsets_mm": {name: _rounded(1e3 * row, 2) for name, row in joints},
            "bone_lengths_mm": _rounded(1e3 * self.lengths, 2),
        }
        if self.shape is not None:
            values["shape"] = {
                "weights": self.shape.fingerprint,
                "thickness_mm": _rounded(1e3 * self.shape.thickness, 3),
                "code": _rounded(self.shape.code, 4),
            }
        values["record"] = self.record
        temporary = path.with_name(path.name + ".partial")
        temporary.write_text(yaml.safe_dump(values, sort_keys=False, default_flow_style=None))
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> HandCalibration:
        """Read what `write` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not such a file, or one with impossible values.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"calibration '{path}' does not exist: im2hands calibrate BAG -o {path} makes it"
            )
        try:
            values = yaml.safe_load(path.read_text())
            if values.get("format") != FORMAT:
                raise ValueError(f"its format is {values.get('format')!r}, not '{FORMAT}'")
            return _checked(cls(**_parts(values)))
        except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            text = " ".join(str(error).split())
            raise ValueError(f"'{path}' is no calibration of im2hands calibrate: {text}") from error


def _parts(values: dict[str, Any]) -> dict[str, Any]:
    offsets = values["offsets_mm"]
    shape = values.get("shape")
    return {
        "convention": str(values["convention"]),
        "offsets": 1e-3 * np.array([offsets[name] for name in JOINT_NAMES], np.float64),
        "lengths": 1e-3 * np.array(values["bone_lengths_mm"], np.float64),
        "shape": shape
        and HandShape(
            np.array(shape["code"], np.float64),
            1e-3 * np.array(shape["thickness_mm"], np.float64),
            str(shape["weights"]),
        ),
        "sides": tuple(side for side in SIDES if side in values["sides"]),
        "record": dict(values.get("record") or {}),
    }


def _checked(read: HandCalibration) -> HandCalibration:
    """The same; raises ValueError for what no calibration can be."""
    bounded = [
        ("offsets_mm", read.offsets, (JOINT_COUNT, 3), 0.0, _LARGEST_OFFSET),
        ("bone_lengths_mm", read.lengths, (len(LINKS),), 1e-3, _LONGEST_BONE),
    ]
    if read.shape is not None:
        thickness = read.shape.thickness
        bounded.append(("thickness_mm", thickness, (20,), 0.0, _LARGEST_THICKNESS))
        bounded.append(("code", read.shape.code, read.shape.code.shape[:1], 0.0, 1e3))
    for name, array, size, low, high in bounded:
        if array.shape != size or not ((low <= np.abs(array)) & (np.abs(array) <= high)).all():
            raise ValueError(f"its {name} are not {size} numbers that a hand can have")
    if read.convention not in CONVENTIONS:
        raise ValueError(f"its convention '{read.convention}' is none of {', '.join(CONVENTIONS)}")
    if not read.sides:
        raise ValueError("it names no side")
    return read


def _rounded(values: Array, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
