"""InterHand2.6M's annotation files as published (v1.0): which pictures show two fitted hands.

Moon et al., ECCV 2020. In `annotations/<split>/`, per split::

  InterHand2.6M_<split>_data.json             images and annotations in COCO's form
  InterHand2.6M_<split>_camera.json           capture -> campos, camrot, focal, princpt -> camera
  InterHand2.6M_<split>_joint_3d.json         capture -> frame -> world_coord (42, 3), joint_valid
  InterHand2.6M_<split>_MANO_NeuralAnnot.json capture -> frame -> right, left -> pose, shape, trans

World coordinates, camera positions and joints are millimetres, MANO's trans metres; everything
here is metres. x_camera = camrot (x_world - campos), with x right, y down, z forward.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import ORDER_INTERHAND, SIDES, to_mano_order

SPLITS = ("train", "val", "test")
# Rows of each hand among the 42 published joints.
_JOINT_ROWS = {"right": slice(0, 21), "left": slice(21, 42)}
_MILLIMETRE = 1e-3


class CalibratedCamera(NamedTuple):
    """One calibrated camera: rotation (3, 3), world to camera; position (3,) world metres."""

    camera: Camera
    rotation: NDArray[np.float64]
    position: NDArray[np.float64]

    def to_camera(self, points_world: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 3) world metres to the camera's frame."""
        return (points_world - self.position) @ self.rotation.T


class ManoFit(NamedTuple):
    """One hand's published fit: pose (48,) radians, shape (10,), translation (3,) world metres."""

    pose: NDArray[np.float32]
    shape: NDArray[np.float32]
    translation: NDArray[np.float32]


class AnnotatedJoints(NamedTuple):
    """One hand's annotated joints: xyz (21, 3) world metres, MANO order; valid (21,) bool."""

    xyz: NDArray[np.float64]
    valid: NDArray[np.bool_]


AnnotatedHands = tuple[dict[str, ManoFit], dict[str, AnnotatedJoints]]


@dataclass(frozen=True)
class AnnotatedFrame:
    """One picture of two hands. fits, joints: by side; identity: the annotation's number."""

    identity: int
    image: Path
    sequence: str
    view: CalibratedCamera
    fits: dict[str, ManoFit]
    joints: dict[str, AnnotatedJoints]


@dataclass(frozen=True)
class Selection:
    """The frames that can be used, and how many could not, by reason."""

    frames: list[AnnotatedFrame]
    rejected: dict[str, int]


@dataclass
class Annotations:
    """One split's files, read whole.

    Args:
        root: folder with `annotations/` and `images/`, as the published archives unpack.
        split: train, val or test.
        folder: where the split's files are, if not in `root/annotations/<split>`.

    Raises:
        FileNotFoundError: a file is missing. ValueError: a file is not what was published.
    """

    root: Path
    split: str
    folder: Path | None = None
    _views: dict[tuple[Any, ...], CalibratedCamera] = field(default_factory=dict, repr=False)
    _hands: dict[tuple[str, str], tuple[dict[str, ManoFit], dict[str, AnnotatedJoints]] | str] = (
        field(default_factory=dict, repr=False)
    )

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split '{self.split}' is unknown: use {', '.join(SPLITS)}")
        self._data = self._read("data")
        self._cameras = self._read("camera")
        self._joints = self._read("joint_3d")
        self._fits = self._read("MANO_NeuralAnnot")
        for name in ("images", "annotations"):
            if not isinstance(self._data.get(name), list):
                raise ValueError(f"{self.path('data')} has no list '{name}': unpack it again")

    def path(self, kind: str) -> Path:
        """Where the file of one kind lies."""
        folder = self.folder or self.root / "annotations" / self.split
        return folder / f"InterHand2.6M_{self.split}_{kind}.json"

    def _read(self, kind: str) -> dict[str, Any]:
        path = self.path(kind)
        if not path.is_file():
            raise FileNotFoundError(
                f"no {path}: give the folder that holds 'annotations' and 'images' of "
                "InterHand2.6M v1.0, or the files' own folder with --annotations"
            )
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): unpack it again") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds a {type(content).__name__}, not a dictionary")
        return content

    @cached_property
    def interacting(self) -> Selection:
        """The pictures of two interacting hands with both fits, in the annotations' order.

        The rule of the published method: hand_type "interacting", hand_type_valid, and MANO fits
        of both hands. (It also leaves out nearly black pictures, which only reading them shows.)
        """
        images = {image["id"]: image for image in self._data["images"]}
        frames, rejected = [], Counter[str]()
        for annotation in self._data["annotations"]:
            try:
                found = self._frame(annotation, images[annotation["image_id"]])
            except (KeyError, TypeError, IndexError) as error:
                number = annotation.get("id") if isinstance(annotation, dict) else annotation
                raise ValueError(
                    f"{self.path('data')}: annotation {number} lacks {error}: the files are not "
                    "those of one release and split"
                ) from error
            if isinstance(found, AnnotatedFrame):
                frames.append(found)
            else:
                rejected[found] += 1
        return Selection(frames, dict(rejected))

    def _frame(self, annotation: dict[str, Any], image: dict[str, Any]) -> AnnotatedFrame | str:
        """One frame, or why it cannot be used."""
        if annotation["hand_type"] != "interacting":
            return "one hand"
        if not np.ravel(annotation["hand_type_valid"]).all():
            return "hand type not valid"
        hands = self._hands_of(str(image["capture"]), str(image["frame_idx"]))
        if isinstance(hands, str):
            return hands
        fits, joints = hands
        return AnnotatedFrame(
            identity=int(annotation["id"]),
            image=self.root / "images" / self.split / image["file_name"],
            sequence=str(image["seq_name"]),
            view=self._view(image),
            fits=fits,
            joints=joints,
        )

    def _hands_of(self, capture: str, moment: str) -> AnnotatedHands | str:
        """Fits and joints of one moment; all its cameras share them."""
        key = (capture, moment)
        if key not in self._hands:
            fits = self._fits.get(capture, {}).get(moment) or {}
            if any(fits.get(side) is None for side in SIDES):
                self._hands[key] = "no MANO fit of both hands"
            else:
                self._hands[key] = (
                    {side: _fit(fits[side]) for side in SIDES},
                    _joints(self._joints[capture][moment]),
                )
        return self._hands[key]

    def _view(self, image: dict[str, Any]) -> CalibratedCamera:
        capture, name = str(image["capture"]), str(image["camera"])
        size = int(image["width"]), int(image["height"])
        key = (capture, name, *size)
        if key not in self._views:
            values = self._cameras[capture]
            (fx, fy), (cx, cy) = values["focal"][name], values["princpt"][name]
            self._views[key] = CalibratedCamera(
                Camera(*size, float(fx), float(fy), float(cx), float(cy)),
                np.array(values["camrot"][name], np.float64).reshape(3, 3),
                np.array(values["campos"][name], np.float64).reshape(3) * _MILLIMETRE,
            )
        return self._views[key]


def _fit(given: dict[str, Any]) -> ManoFit:
    sizes = {"pose": 48, "shape": 10, "trans": 3}
    arrays = [np.ravel(given[name]).astype(np.float32) for name in sizes]
    for (name, size), array in zip(sizes.items(), arrays, strict=True):
        if array.shape != (size,):
            raise ValueError(f"a MANO fit has {len(array)} numbers of '{name}', not {size}")
    return ManoFit(*arrays)


def _joints(given: dict[str, Any]) -> dict[str, AnnotatedJoints]:
    xyz = np.array(given["world_coord"], np.float64).reshape(42, 3) * _MILLIMETRE
    valid = np.array(given["joint_valid"], np.float64).reshape(42, 1) > 0
    return {
        side: AnnotatedJoints(
            to_mano_order(xyz[rows], ORDER_INTERHAND),
            to_mano_order(np.repeat(valid[rows], 3, axis=1), ORDER_INTERHAND)[:, 0],
        )
        for side, rows in _JOINT_ROWS.items()
    }
