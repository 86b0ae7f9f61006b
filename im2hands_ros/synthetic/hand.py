"""An articulated hand: joint angles and shape in, watertight skin and keypoints out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

ASSET = Path(__file__).parents[1] / "data" / "hand.npz"
FINGER_NAMES = ("thumb", "index", "middle", "ring", "pinky")

# Degrees from the rest pose (relaxed, fingers a little bent) per joint: flexion, twist, spread.
# Positive flexion closes the hand, positive spread turns towards the little finger's side.
# Joints absent here do not move. Ranges after Norkin and White, "Measurement of Joint Motion",
# less the rest pose's own flexion (about 15 degrees each).
POSE_LIMITS: dict[str, tuple[tuple[float, float], ...]] = {
    "wrist": ((-60, 60), (0, 0), (-25, 25)),
    "thumb_cmc": ((-20, 35), (-25, 25), (-25, 25)),
    "thumb_mcp": ((-15, 55), (0, 0), (-5, 5)),
    "thumb_ip": ((-20, 70), (0, 0), (0, 0)),
    "ring_palm": ((0, 6), (0, 0), (0, 0)),
    "pinky_palm": ((0, 12), (0, 0), (0, 0)),
    **{f"{f}_mcp": ((-32, 80), (0, 0), (-18, 18)) for f in FINGER_NAMES[1:]},
    **{f"{f}_pip": ((-16, 95), (0, 0), (0, 0)) for f in FINGER_NAMES[1:]},
    **{f"{f}_dip": ((-18, 65), (0, 0), (0, 0)) for f in FINGER_NAMES[1:]},
}


@dataclass(frozen=True)
class Posed:
    """B hands in one frame, metres, of the hand's type.

    surface (B, V, 3): watertight hand; skin (B, Vs, 3): hand and open-ended forearm;
    keypoints (B, 21, 3): MANO order.
    """

    surface: Tensor
    skin: Tensor
    keypoints: Tensor


def axis_angle_matrix(vector: Tensor) -> Tensor:
    """(..., 3) rotation vectors, radians -> (..., 3, 3); smooth at zero (Rodrigues)."""
    square = (vector**2).sum(-1, keepdim=True)[..., None]
    # The Taylor branch keeps value and gradient finite where the angle vanishes.
    small = square < 1e-8
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1 - square / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / angle**2)
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape, 3)
    identity = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return identity + sine * cross + cosine * (cross @ cross)


class BakedHand:
    """The hand of `data/hand.npz` (MakeHuman's, CC0; made by `tools/bake_hand.py`).

    The rest frame is a right hand's: origin at the rig's wrist, x towards the thumb's side, y
    towards the middle knuckle, z out of the palm. The palm is the root: bending the wrist moves
    the forearm. Left hands are right hands with x negated before they are turned and placed.

    pose (60,): axis-angle radians of `joint_names` (20, 3) in bone frames, see POSE_LIMITS.
    shape (12,): standard deviations along the principal shapes of adult hands.

    Keypoints sit where trackers put them, not on the rig's bones, which run 3-4 mm under the
    dorsal skin: joints in the middle of the cross-section along flexion, tips 2.5 mm under the
    skin of the finger's end, the wrist in the middle of the carpus. They are skinned half way
    between the bones of their joint, which is how skinning moves a bent finger's middle.
    """

    pose_dims = 60
    shape_dims = 12

    def __init__(self, asset: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32) -> None:
        def tensor(name: str) -> Tensor:
            return torch.from_numpy(asset[name].copy()).to(dtype)

        self.joint_names = tuple(str(name) for name in asset["joint_names"])
        self.parents = tuple(int(p) for p in asset["parents"])
        self.hand_vertices = int(asset["hand_vertices"])
        self.nails = asset["nails"]
        self.skin_rest = asset["vertices"]
        self.skin_triangles = asset["faces"].astype(np.int64)
        self._loop = torch.from_numpy(asset["wrist_loop"])
        hand_faces = self.skin_triangles[: int(asset["hand_faces"])]
        self.triangles = close_loop(hand_faces, asset["wrist_loop"], self.hand_vertices)
        self._points = torch.cat([tensor("vertices"), tensor("keypoints")])
        self._point_basis = torch.cat([tensor("vertex_basis"), tensor("keypoint_basis")], 1)
        self._weights = torch.cat([tensor("weights"), tensor("keypoint_weights")])
        self.joints, self.joint_basis = tensor("joints"), tensor("joint_basis")
        self.frames = tensor("frames")
        self._init_landmarks()

    @classmethod
    def load(cls, path: Path = ASSET, dtype: torch.dtype = torch.float32) -> "BakedHand":
        """Read a baked hand. Raises FileNotFoundError with the remedy when there is none."""
        if not path.is_file():
            raise FileNotFoundError(f"no hand model at {path}: run tools/bake_hand.py")
        with np.load(path) as asset:
            return cls(dict(asset), dtype)

    def _init_landmarks(self) -> None:
        """Keypoints, and the middles of the forearm's skin near the wrist and near the elbow."""
        count = len(self.skin_rest)
        forearm = np.flatnonzero(self._weights[:count, 0].numpy() > 0.99)
        distance = np.linalg.norm(self.skin_rest[forearm], axis=1)
        rows = self.frames.new_zeros(2, count + 21)
        for row, cut in zip(
            rows, (distance < distance.min() + 0.02, distance > distance.max() - 0.05), strict=True
        ):
            row[torch.from_numpy(forearm[cut])] = 1 / cut.sum()
        keep = torch.cat([torch.eye(count + 21).to(rows)[count:], rows])
        self._landmarks, self._landmark_basis = keep @ self._points, keep @ self._point_basis
        self._landmark_weights = keep @ self._weights

    @cached_property
    def pose_limits(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest pose (60,), radians."""
        still = ((0.0, 0.0),) * 3
        degrees = [POSE_LIMITS.get(name, still) for name in self.joint_names]
        limits = self.frames.new_tensor(degrees) * (math.pi / 180)
        return limits[..., 0].reshape(-1), limits[..., 1].reshape(-1)

    def joint(self, name: str) -> int:
        """Row of a joint. Raises ValueError for a name that the hand does not have."""
        if name not in self.joint_names:
            raise ValueError(f"no joint {name!r}: use one of {', '.join(self.joint_names)}")
        return self.joint_names.index(name)

    def triangles_of(self, side: str) -> np.ndarray:
        """(T, 3) int64 watertight triangles, counter-clockwise from outside for either hand."""
        return self.triangles if check_side(side) == "right" else self.triangles[:, ::-1].copy()

    def bone_transforms(self, pose: Tensor, shape: Tensor) -> Tensor:
        """(B, 21, 3, 4) rest-to-posed transforms of the forearm, the palm and the other joints."""
        turns = axis_angle_matrix(pose.reshape(-1, len(self.parents), 3))
        turns = self.frames @ turns @ self.frames.mT
        joints = self.joints + torch.einsum("bs,sjc->bjc", shape, self.joint_basis)
        forearm = turns[:, 0].mT
        rotations, places = [torch.eye(3).to(turns).expand_as(forearm)], [joints[:, 0]]
        for joint, parent in enumerate(self.parents[1:], start=1):
            step = joints[:, joint] - joints[:, parent]
            places.append(places[parent] + (rotations[parent] @ step[..., None])[..., 0])
            rotations.append(rotations[parent] @ turns[:, joint])
        rotation = torch.stack([forearm, *rotations], 1)
        place = torch.stack([places[0], *places], 1)
        pivot = torch.cat([joints[:, :1], joints], 1)
        shift = place - (rotation @ pivot[..., None])[..., 0]
        return torch.cat([rotation, shift[..., None]], -1)

    def rest_frame_landmarks(self, pose: Tensor, shape: Tensor) -> Tensor:
        """(B, 23, 3) keypoints, wrist and elbow ends of the forearm; right hands, rest frame.

        The skin is left out, so it is fast.
        """
        transforms = self.bone_transforms(pose, shape).flatten(2)
        blended = (self._landmark_weights @ transforms).unflatten(-1, (3, 4))
        rest = self._landmarks + torch.einsum("bs,slc->blc", shape, self._landmark_basis)
        return (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]

    def rest_frame_keypoints(self, pose: Tensor, shape: Tensor) -> Tensor:
        """(B, 21, 3) keypoints of right hands in the rest frame, without the skin."""
        return self.rest_frame_landmarks(pose, shape)[:, :21]

    def pose(
        self, pose: Tensor, shape: Tensor, rotation: Tensor, translation: Tensor, side: str
    ) -> Posed:
        """Skin, surface and keypoints of B hands; differentiable.

        pose (B, 60) radians; shape (B, 12); rotation (B, 3, 3) and translation (B, 3) metres
        bring the rest frame (mirrored for a left hand) to the frame of the result.
        Raises ValueError for a side other than "left" or "right".
        """
        mirror = check_side(side) == "left"
        transforms = self.bone_transforms(pose, shape).flatten(2)
        blended = (self._weights @ transforms).unflatten(-1, (3, 4))
        rest = self._points + torch.einsum("bs,svc->bvc", shape, self._point_basis)
        points = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
        if mirror:
            points = points * points.new_tensor([-1.0, 1.0, 1.0])
        points = points @ rotation.mT + translation[:, None]
        skin, keypoints = points[:, : len(self.skin_rest)], points[:, len(self.skin_rest) :]
        centre = skin[:, self._loop].mean(1, keepdim=True)
        return Posed(torch.cat([skin[:, : self.hand_vertices], centre], 1), skin, keypoints)


def check_side(side: str) -> str:
    """The side itself. Raises ValueError unless it is "left" or "right"."""
    if side not in ("left", "right"):
        raise ValueError(f"side is {side!r}: it must be 'left' or 'right'")
    return side


def close_loop(triangles: np.ndarray, loop: np.ndarray, centre: int) -> np.ndarray:
    """Close the hole at the wrist with a fan around the vertex `centre`. (T, 3) -> (T + L, 3)."""
    fan = np.stack([np.roll(loop, -1), loop, np.full_like(loop, centre)], 1)
    return np.concatenate([triangles, fan]).astype(np.int64)
