"""A batch of scenes: who is there, how the hands are posed and where they are."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from im2hands_ros.synthetic.contact import Pair
from im2hands_ros.synthetic.hand import ASSET, BakedHand, Posed
from im2hands_ros.synthetic.overlap import Solid
from im2hands_ros.synthetic.sphere_proxies import SphereProxies

SIDES = ("right", "left")  # order of the leading axis of `Pair`


@dataclass(frozen=True)
class Scenes:
    """B scenes in a metric frame near the origin, metres and radians, float32.

    subset (B,) of "interacting", "apart", "single_left", "single_right"; kind (B,), finer;
    pose[side] (B, 60), shape[side] (B, 12), rotation[side] (B, 3, 3), translation[side] (B, 3)
    as `BakedHand.pose` takes them; present[side] (B,) bool. An absent hand's numbers mean nothing.
    """

    subset: np.ndarray
    kind: np.ndarray
    pose: dict[str, Tensor]
    shape: dict[str, Tensor]
    rotation: dict[str, Tensor]
    translation: dict[str, Tensor]
    present: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: slice | np.ndarray) -> "Scenes":
        """The scenes of these rows."""
        tables = (self.pose, self.shape, self.rotation, self.translation, self.present)
        cut = [{side: table[side][rows] for side in table} for table in tables]
        return Scenes(self.subset[rows], self.kind[rows], *cut)

    def posed(self, hand: BakedHand, side: str) -> Posed:
        """All B hands of one side, absent ones included."""
        tables = (self.pose, self.shape, self.rotation, self.translation)
        return hand.pose(*(table[side].to(hand.frames) for table in tables), side)


def from_pair(
    pair: Pair, subset: np.ndarray, kind: np.ndarray, present: dict[str, np.ndarray]
) -> Scenes:
    """Solved pairs as scenes; here float64 becomes float32."""
    tables = [
        {side: part[k].float() for k, side in enumerate(SIDES)}
        for part in (pair.pose, pair.shape, pair.rotation, pair.translation)
    ]
    return Scenes(subset, kind, *tables, present)


def join_scenes(parts: list[Scenes]) -> Scenes:
    """Scenes one after the other."""

    def tensors(name: str) -> dict[str, Tensor]:
        return {side: torch.cat([getattr(p, name)[side] for p in parts]) for side in SIDES}

    return Scenes(
        np.concatenate([p.subset for p in parts]),
        np.concatenate([p.kind for p in parts]),
        *(tensors(name) for name in ("pose", "shape", "rotation", "translation")),
        {side: np.concatenate([p.present[side] for p in parts]) for side in SIDES},
    )


@cache
def tools(asset: Path = ASSET) -> tuple[BakedHand, SphereProxies]:
    """A hand and its spheres, float64, loaded once in a process.

    The solver's way among contacts magnifies rounding: in float32 it ends centimetres apart on
    CPUs that add in another order, in float64 it does not.
    """
    hand = BakedHand.load(asset, dtype=torch.float64)
    return hand, SphereProxies(hand)


def solids(hand: BakedHand, pair: Pair) -> tuple[list[Solid], list[Solid]]:
    """The surfaces of B pairs, right hands and left hands."""
    parts = (pair.pose, pair.shape, pair.rotation, pair.translation)
    right, left = (
        [Solid(v, hand.triangles_of(side)) for v in posed.surface.numpy()]
        for k, side in enumerate(SIDES)
        for posed in [hand.pose(*(part[k] for part in parts), side)]
    )
    return right, left
