"""One synthetic picture with its ground truth, and the hand that its meshes are posed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.hand import ASSET, BakedHand
from im2hands_ros.synthetic.photography import decode

T = TypeVar("T")

MASK_IDS = {"left": 1, "right": 2}
# Points are kept as offsets from the wrist in steps of 10 micrometres: int16 reaches 0.32 m.
POINT_STEP = 1e-5


class HandParameters(NamedTuple):
    """One posed hand in the camera frame, as ``BakedHand.pose`` takes it; float32 arrays."""

    pose: np.ndarray
    shape: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


class Mesh(NamedTuple):
    """vertices (V, 3) metres, triangles (T, 3) counter-clockwise seen from outside."""

    vertices: np.ndarray
    triangles: np.ndarray


@dataclass
class Sample:
    """One picture and its ground truth; metres, camera frame. A side that is absent is None.

    Attributes:
        jpeg: the picture's file; ``image`` is its (256, 256, 3) uint8 RGB content.
        camera: the picture's pinhole camera.
        mask: (256, 256) uint8, 0 none or forearm, 1 left hand, 2 right hand.
        keypoints: per side (21, 3) float32.
        points: per side (N, 3) float32, near-surface points first.
        depth: per side (N,) float32 signed depth under that hand's skin, metres, positive inside,
            clamped to ``labels.MAX_DEPTH``.
        subset, kind: as in ``Scenes``.
        seed: split seed plus index; unique over all splits.
        parameters: per side the pose that ``meshes`` is made from; all None where ``surfaces``
            are given.
        surfaces: per side the mesh itself, float32 and int32, for hands other than the packaged
            one (`datasets`).
        near: how many of a hand's points are near-surface points; None: its split's default.
    """

    jpeg: bytes
    camera: Camera
    mask: np.ndarray
    keypoints: dict[str, np.ndarray | None]
    points: dict[str, np.ndarray | None]
    depth: dict[str, np.ndarray | None]
    subset: str
    kind: str
    seed: int
    parameters: dict[str, HandParameters | None]
    surfaces: dict[str, Mesh | None] | None = None
    near: int | None = None

    @cached_property
    def image(self) -> np.ndarray:
        """(256, 256, 3) uint8 RGB."""
        return decode(self.jpeg)

    @cached_property
    def occupancy(self) -> dict[str, np.ndarray | None]:
        """Per side (N,) bool, which points lie inside that side's hand."""
        return {side: None if d is None else d > 0 for side, d in self.depth.items()}

    @cached_property
    def meshes(self) -> dict[str, np.ndarray | None]:
        """Per side the (V, 3) float32 watertight hand; its triangles: ``triangles_of(side)``."""
        if self.surfaces is not None:
            return {s: None if mesh is None else mesh.vertices for s, mesh in self.surfaces.items()}
        return {
            side: None if given is None else pose_hand(side, given).surface
            for side, given in self.parameters.items()
        }

    def mesh_of(self, side: str) -> Mesh:
        """The watertight hand of a side that is present."""
        return Mesh(self.meshes[side], self.triangles_of(side))

    def triangles_of(self, side: str) -> np.ndarray:
        """(T, 3) triangles of ``meshes[side]``, counter-clockwise seen from outside."""
        given = None if self.surfaces is None else self.surfaces[side]
        return hand_triangles(side) if given is None else given.triangles


class PosedArrays(NamedTuple):
    """Float32 arrays: watertight hand (V, 3), hand with forearm (Vs, 3), joints (21, 3)."""

    surface: np.ndarray
    skin: np.ndarray
    keypoints: np.ndarray


def present(values: Mapping[str, T | None]) -> dict[str, T]:
    """What is there of a value per side."""
    return {side: value for side, value in values.items() if value is not None}


@lru_cache(maxsize=2)
def hand_model(asset: Path = ASSET) -> BakedHand:
    """The hand of an asset, by default the packaged one, float64, read once per process."""
    return BakedHand.load(asset, dtype=torch.float64)


def hand_triangles(side: str, asset: Path = ASSET) -> np.ndarray:
    """(T, 3) triangles of a hand, counter-clockwise seen from outside."""
    return np.asarray(hand_model(asset).triangles_of(side))


def pose_hand(side: str, given: HandParameters, asset: Path = ASSET) -> PosedArrays:
    """Pose one hand, computed in float64: the same parameters always give the same vertices."""
    tensors = (torch.from_numpy(values)[None].double() for values in given)
    with torch.no_grad():
        posed = hand_model(asset).pose(*tensors, side)
    parts = (posed.surface, posed.skin, posed.keypoints)
    return PosedArrays(*(part[0].float().numpy() for part in parts))


def moved(given: HandParameters, rotation: np.ndarray, translation: np.ndarray) -> HandParameters:
    """The same hand after x -> rotation @ x + translation, computed in float64."""
    rotation = rotation.astype(np.float64)
    return given._replace(
        rotation=(rotation @ given.rotation).astype(np.float32),
        translation=(rotation @ given.translation + translation).astype(np.float32),
    )


def pack_points(points: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """(N, 3) metres to int16 steps from the wrist; points beyond reach move to its edge."""
    steps = np.rint((points.astype(np.float64) - wrist) / POINT_STEP)
    return np.clip(steps, -32767, 32767).astype(np.int16)


def unpack_points(steps: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """(N, 3) float32 metres from ``pack_points``."""
    return (steps * POINT_STEP + wrist.astype(np.float64)).astype(np.float32)


def pack_depth(depth: np.ndarray) -> np.ndarray:
    """(N,) metres to int16 micrometres; what is not on the skin keeps its sign."""
    microns = np.asarray(depth, np.float64) * 1e6
    rounded = np.where(np.abs(microns) < 1, np.sign(microns), np.rint(microns))
    return rounded.astype(np.int16)


def unpack_depth(microns: np.ndarray) -> np.ndarray:
    """(N,) float32 metres from ``pack_depth``."""
    return (microns * 1e-6).astype(np.float32)
