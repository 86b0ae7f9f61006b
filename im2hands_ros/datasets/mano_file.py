"""What is inside the user's MANO_LEFT.pkl and MANO_RIGHT.pkl.

MANO's files carry a licence of their own and are never part of this package: get them from
mano.is.tue.mpg.de.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2hands_ros.datasets.restricted_pickle import as_array, read_pickle

VERTICES, JOINTS, SHAPES = 778, 16, 10
FINGER_POSE = 3 * (JOINTS - 1)
_SHAPES = {
    "v_template": (VERTICES, 3),
    "posedirs": (VERTICES, 3, 9 * (JOINTS - 1)),
    "weights": (VERTICES, JOINTS),
    "J_regressor": (JOINTS, VERTICES),
    "hands_mean": (FINGER_POSE,),
}
# Sides whose shapes' x directions differ by less than this in all have the right hand's both.
_SAME_SHAPES = 1.0


@dataclass(frozen=True)
class ManoArrays:
    """One MANO file: template, blend shapes, skinning; metres, float32, the file's own frame.

    template (778, 3); shape_basis (778, 3, 10); pose_basis (778, 3, 135); weights (778, 16);
    regressor (16, 778); mean_pose (45,) radians; triangles (T, 3) int64, open at the wrist;
    parents: of the joints, -1 for the wrist.
    """

    template: NDArray[np.float32]
    shape_basis: NDArray[np.float32]
    pose_basis: NDArray[np.float32]
    weights: NDArray[np.float32]
    regressor: NDArray[np.float32]
    mean_pose: NDArray[np.float32]
    triangles: NDArray[np.int64]
    parents: tuple[int, ...]

    @classmethod
    def read(cls, path: Path | str) -> ManoArrays:
        """Read MANO_LEFT.pkl or MANO_RIGHT.pkl; nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file. ValueError: not a MANO file, or one with code in it.
        """
        content = read_pickle(path)
        fields = {name: _field(content, name, path) for name in _SHAPES}
        for name, shape in _SHAPES.items():
            if fields[name].shape != shape:
                raise ValueError(f"{path}: {name} is {fields[name].shape}, MANO has {shape}")
        shapes = _field(content, "shapedirs", path)
        if shapes.shape[:2] != (VERTICES, 3) or shapes.shape[2] < SHAPES:
            raise ValueError(f"{path}: shapedirs is {shapes.shape}, MANO has (778, 3, 10)")
        parents = _field(content, "kintree_table", path)[0].astype(np.int64)
        return cls(
            template=fields["v_template"].astype(np.float32),
            shape_basis=np.ascontiguousarray(shapes[..., :SHAPES], np.float32),
            pose_basis=fields["posedirs"].astype(np.float32),
            weights=fields["weights"].astype(np.float32),
            regressor=fields["J_regressor"].astype(np.float32),
            mean_pose=fields["hands_mean"].astype(np.float32),
            triangles=_field(content, "f", path).astype(np.int64),
            parents=_checked_parents(parents, path),
        )


def _field(content: dict[str, Any], name: str, path: Path | str) -> NDArray[Any]:
    if name not in content:
        raise ValueError(f"{path} has no '{name}': give MANO_LEFT.pkl or MANO_RIGHT.pkl")
    try:
        return as_array(content[name])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: '{name}' cannot be read ({error})") from error


def _checked_parents(parents: NDArray[np.int64], path: Path | str) -> tuple[int, ...]:
    # The file writes the wrist's missing parent as the largest unsigned integer.
    listed = (-1, *(int(parent) for parent in parents[1:]))
    if len(listed) != JOINTS or any(not 0 <= p < j for j, p in enumerate(listed) if j):
        raise ValueError(f"{path}: joints' parents {listed[1:]} are no tree of {JOINTS} joints")
    return listed


def with_left_shapes(left: ManoArrays, right: ManoArrays) -> ManoArrays:
    """The left hand with its shapes mirrored, where its file holds the right hand's x directions.

    A known mistake of the published MANO_LEFT.pkl (smplx issue 48).
    """
    difference = np.abs(left.shape_basis[:, 0] - right.shape_basis[:, 0]).sum()
    if difference >= _SAME_SHAPES:
        return left
    mirror = np.array([-1, 1, 1], np.float32)[:, None]
    return replace(left, shape_basis=left.shape_basis * mirror)
