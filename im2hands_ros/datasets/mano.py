"""The MANO hand from the user's own files: shape and pose in, skin and keypoints out.

Romero, Tzionas, Black, "Embodied Hands", SIGGRAPH Asia 2017: linear blend skinning of a template
that shape and pose blend shapes have changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.datasets.mano_file import (
    FINGER_POSE,
    JOINTS,
    SHAPES,
    VERTICES,
    ManoArrays,
    with_left_shapes,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.hand import Posed, axis_angle_matrix, check_side, close_loop

# Skin vertices at the tips of thumb, index, middle, ring and little finger.
TIP_VERTICES = (745, 317, 444, 556, 673)
# MANO's files list wrist, index, middle, little, ring, thumb; with the tips behind them, in
# TIP_VERTICES' order, these rows are the 21 keypoints of `skeleton.JOINT_NAMES`.
_KEYPOINT_ROWS = (
    *(0, 13, 14, 15, 16),
    *(1, 2, 3, 17),
    *(4, 5, 6, 18),
    *(10, 11, 12, 19),
    *(7, 8, 9, 20),
)


class Articulated(NamedTuple):
    """B hands: vertices (B, 778, 3), keypoints (B, 21, 3) in MANO order; metres."""

    vertices: Tensor
    keypoints: Tensor


class ManoLayer:
    """One side's MANO as a differentiable function of pose and shape."""

    def __init__(self, arrays: ManoArrays) -> None:
        self.parents = arrays.parents
        self._template = torch.from_numpy(arrays.template)
        self._shape_basis = torch.from_numpy(arrays.shape_basis)
        self._pose_basis = torch.from_numpy(arrays.pose_basis)
        self._weights = torch.from_numpy(arrays.weights)
        self._regressor = torch.from_numpy(arrays.regressor)
        self._mean_pose = torch.from_numpy(arrays.mean_pose)

    def wrist(self, shape: Tensor) -> Tensor:
        """(B, 3) the wrist joint at rest of hands of shape (B, 10), the file's frame, metres."""
        return self._joints(self._shaped(shape))[:, 0]

    def about_wrist(self, fingers: Tensor, shape: Tensor) -> Articulated:
        """Bent fingers, palm at rest, the wrist joint at the origin.

        fingers (B, 45): axis-angle radians from the file's mean pose (as smplx and
        InterHand2.6M's fits have it, "flat_hand_mean=False"); shape (B, 10).
        """
        turns = axis_angle_matrix((fingers + self._mean_pose).unflatten(-1, (JOINTS - 1, 3)))
        shaped = self._shaped(shape)
        joints = self._joints(shaped)
        still = torch.eye(3, dtype=turns.dtype, device=turns.device)
        bent = shaped + torch.einsum("bp,vcp->bvc", (turns - still).flatten(1), self._pose_basis)
        rotations, places = self._chain(turns, joints)
        shifts = places - (rotations @ joints[..., None])[..., 0]
        transforms = torch.cat([rotations, shifts[..., None]], -1)
        blended = torch.einsum("vj,bjrc->bvrc", self._weights, transforms)
        vertices = (blended[..., :3] @ bent[..., None])[..., 0] + blended[..., 3]
        tips = vertices[:, list(TIP_VERTICES)]
        keypoints = torch.cat([places, tips], 1)[:, list(_KEYPOINT_ROWS)]
        wrist = joints[:, :1]
        return Articulated(vertices - wrist, keypoints - wrist)

    def __call__(self, pose: Tensor, shape: Tensor, translation: Tensor) -> Articulated:
        """Hands as MANO's own code poses them.

        pose (B, 48): axis-angle radians, the whole hand's turn about its wrist joint first;
        shape (B, 10); translation (B, 3): of the turned hand, metres.
        """
        hand = self.about_wrist(pose[:, 3:], shape)
        turn = axis_angle_matrix(pose[:, :3])
        place = (self.wrist(shape) + translation)[:, None]
        return Articulated(*(points @ turn.mT + place for points in hand))

    def _shaped(self, shape: Tensor) -> Tensor:
        return self._template + torch.einsum("bs,vcs->bvc", shape, self._shape_basis)

    def _joints(self, shaped: Tensor) -> Tensor:
        return torch.einsum("jv,bvc->bjc", self._regressor, shaped)

    def _chain(self, turns: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations (B, 16, 3, 3) and places (B, 16, 3) of the joints, the wrist's at rest."""
        rotations, places = [torch.eye(3).to(turns).expand(len(turns), 3, 3)], [joints[:, 0]]
        for joint, parent in enumerate(self.parents[1:], start=1):
            step = joints[:, joint] - joints[:, parent]
            places.append(places[parent] + (rotations[parent] @ step[..., None])[..., 0])
            rotations.append(rotations[parent] @ turns[:, joint - 1])
        return torch.stack(rotations, 1), torch.stack(places, 1)


class ManoHand:
    """Both MANO hands, posed as `BakedHand` is; without a forearm, so skin and surface are one.

    pose (45,): axis-angle radians of MANO's 15 joints from its mean pose, in the side's own frame
    (a left pose mirrors a right one where y and z of each vector are negated). shape (10,).
    The rest frame is the file's own with the wrist joint at the origin.
    """

    pose_dims, shape_dims = FINGER_POSE, SHAPES

    def __init__(self, left: ManoArrays, right: ManoArrays) -> None:
        arrays = {"left": with_left_shapes(left, right), "right": right}
        self.layers = {side: ManoLayer(arrays[side]) for side in SIDES}
        self.loops = {side: wrist_loop(arrays[side].triangles) for side in SIDES}
        self._triangles = {
            side: close_loop(arrays[side].triangles, self.loops[side], VERTICES) for side in SIDES
        }

    @classmethod
    def load(cls, folder: Path | str) -> ManoHand:
        """Read MANO_LEFT.pkl and MANO_RIGHT.pkl of a folder; errors as `ManoArrays.read`."""
        left, right = (Path(folder) / f"MANO_{side.upper()}.pkl" for side in SIDES)
        return cls(ManoArrays.read(left), ManoArrays.read(right))

    def triangles_of(self, side: str) -> NDArray[np.int64]:
        """(T, 3) watertight triangles, counter-clockwise from outside; the cap comes last."""
        return self._triangles[check_side(side)]

    def pose(
        self, pose: Tensor, shape: Tensor, rotation: Tensor, translation: Tensor, side: str
    ) -> Posed:
        """Skin, surface and keypoints of B hands; differentiable.

        pose (B, 45), shape (B, 10) as in the class; rotation (B, 3, 3) and translation (B, 3)
        metres bring the rest frame to that of the result, so translation is the wrist's place.
        """
        hand = self.layers[check_side(side)].about_wrist(pose, shape)
        return self._posed(
            Articulated(*(p @ rotation.mT + translation[:, None] for p in hand)), side
        )

    def annotated(self, pose: Tensor, shape: Tensor, translation: Tensor, side: str) -> Posed:
        """The same from (B, 48) pose, shape and translation as datasets publish them."""
        return self._posed(self.layers[check_side(side)](pose, shape, translation), side)

    def _posed(self, hand: Articulated, side: str) -> Posed:
        centre = hand.vertices[:, self.loops[side]].mean(1, keepdim=True)
        surface = torch.cat([hand.vertices, centre], 1)
        return Posed(surface, hand.vertices, hand.keypoints)


def wrist_loop(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """The vertices (L,) around the only hole of a mesh, in the direction of its triangles' edges.

    Raises ValueError unless there is one hole.
    """
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    known = {(int(a), int(b)) for a, b in edges}
    following = {a: b for a, b in known if (b, a) not in known}
    loop = [next(iter(following), -1)]
    while len(loop) <= len(following) and following.get(loop[-1], loop[0]) != loop[0]:
        loop.append(following[loop[-1]])
    if not following or len(loop) != len(following):
        raise ValueError(f"the hand mesh has {len(following)} border edges in no single loop")
    return np.array(loop, np.int64)
