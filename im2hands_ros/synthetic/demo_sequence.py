"""The bundled demo: two hands approach, touch, interlace and part before one fixed camera.

Playing it needs no renderer; ``python -m im2hands_ros.synthetic.demo_making`` makes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from im2hands_ros.camera import Camera
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.photography import decode
from im2hands_ros.synthetic.sample import HandParameters, hand_triangles, pose_hand

DEMO_FILE = Path(__file__).parents[1] / "data" / "demo" / "sequence.npz"


@dataclass(frozen=True)
class DemoFrame:
    """One frame; per side None when that hand is absent. Metres, camera frame.

    Attributes:
        jpeg: the picture's file; ``image`` is its (480, 640, 3) uint8 RGB content.
        keypoints: coarse (21, 3) float32, as a tracker would give them: about 3 mm off.
        true_keypoints: exact (21, 3) float32.
        parameters: pose of the ground-truth ``meshes`` ((V, 3) float32 vertices each).
    """

    jpeg: bytes
    keypoints: dict[str, np.ndarray | None]
    true_keypoints: dict[str, np.ndarray | None]
    parameters: dict[str, HandParameters | None]

    @cached_property
    def image(self) -> np.ndarray:
        """(480, 640, 3) uint8 RGB."""
        return decode(self.jpeg)

    @cached_property
    def meshes(self) -> dict[str, np.ndarray | None]:
        """Per side the watertight hand's (V, 3) float32 vertices."""
        return {
            side: None if given is None else pose_hand(side, given).surface
            for side, given in self.parameters.items()
        }


@dataclass(frozen=True)
class DemoSequence:
    """All frames, their camera and their rate in frames per second."""

    frames: list[DemoFrame]
    camera: Camera
    rate: float

    @staticmethod
    def triangles(side: str) -> np.ndarray:
        """(T, 3) triangles of ``DemoFrame.meshes[side]``, counter-clockwise from outside."""
        return hand_triangles(side)


def load_demo_sequence(path: Path | str = DEMO_FILE) -> DemoSequence:
    """Read the bundled demo.

    Raises:
        FileNotFoundError: the file is not there; says how to make it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no demo sequence at {path}: make it with "
            "`python -m im2hands_ros.synthetic.demo_making`"
        )
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    width, height = (int(value) for value in arrays["size"])
    camera = Camera(width, height, *(float(value) for value in arrays["intrinsics"]))
    count = len(arrays["image_ends"]) - 1
    return DemoSequence([_frame(arrays, i) for i in range(count)], camera, float(arrays["rate"]))


def _frame(arrays: dict[str, np.ndarray], index: int) -> DemoFrame:
    first, last = arrays["image_ends"][index : index + 2]
    present = {side: bool(arrays[f"{side}_present"][index]) for side in SIDES}

    def joints(name: str) -> dict[str, np.ndarray | None]:
        return {s: arrays[f"{s}_{name}"][index] if present[s] else None for s in SIDES}

    parameters = {
        side: HandParameters(*(arrays[f"{side}_{name}"][index] for name in HandParameters._fields))
        for side in SIDES
        if present[side]
    }
    return DemoFrame(
        arrays["image_bytes"][first:last].tobytes(),
        joints("keypoints"),
        joints("true_keypoints"),
        dict.fromkeys(SIDES) | parameters,
    )
