"""The skinned baseline: the mean hand carried along by the bones between the given keypoints.

No fitting and no learning: every bone of the template is moved, turned and stretched onto the bone
between two keypoints, and the skin follows the bones near it. What a user gets from a template
mesh and a tracker with a few lines of code.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.networks.compact.bone_geometry import bone_geometry
from im2hands_ros.synthetic.hand import BakedHand
from im2hands_ros.synthetic.sample import Mesh

# Skin belongs to the bones around it; the share falls by e every so many metres further away.
FALL_OFF = 0.003


class SkinnedHand:
    """Skins the packaged mean hand to keypoints. Deterministic; needs no image."""

    def __init__(self, model: BakedHand | None = None) -> None:
        self._model = BakedHand.load() if model is None else model
        zeros = torch.zeros(1, self._model.pose_dims), torch.zeros(1, self._model.shape_dims)
        place = torch.eye(3)[None], torch.zeros(1, 3)
        with torch.no_grad():
            rest = self._model.pose(*zeros, *place, "right")
            hands = canonicalise(rest.keypoints, torch.tensor([False]))
            skin = hands.palm_from_camera(rest.surface)
            self._bones = bone_geometry(hands)
            self._local = self._in_bones(skin)
            self._weights = self._skin_weights(self._local)

    def skin(self, keypoints: NDArray[np.floating], side: str) -> Mesh:
        """The mean hand on (21, 3) keypoints, MANO order, metres; a mesh in the same frame."""
        joints = torch.as_tensor(np.asarray(keypoints), dtype=torch.float32)[None]
        with torch.no_grad():
            hands = canonicalise(joints, torch.tensor([side == "left"]))
            vertices = hands.camera_from_palm(self._posed(hands))[0]
        return Mesh(vertices.numpy(), self._model.triangles_of(side))

    def _in_bones(self, points_palm: Tensor) -> Tensor:
        """(1, V, 3) palm-frame points in each bone's frame: (1, S, V, 3)."""
        rotated = points_palm[:, None] @ self._bones.rotation.transpose(2, 3)
        return rotated + self._bones.translation[:, :, None]

    def _skin_weights(self, local: Tensor) -> Tensor:
        """(S, V) share of each bone in each vertex."""
        direction, length = self._bones.direction[:, :, None], self._bones.length[:, :, None]
        along = (local * direction).sum(-1).clamp_min(0).minimum(length)
        distance = (local - along[..., None] * direction).norm(dim=-1)
        return (-distance[0] / FALL_OFF).softmax(0)

    def _posed(self, hands: CanonicalHands) -> Tensor:
        """(1, V, 3) skin in the palm frame of the given hand."""
        bones = bone_geometry(hands)
        stretch = bones.length / self._bones.length
        girth = stretch.median(dim=1, keepdim=True).values
        direction = self._bones.direction[:, :, None]
        along = (self._local * direction).sum(-1, keepdim=True)
        across = self._local - along * direction
        local = along * stretch[..., None, None] * bones.direction[:, :, None]
        local = local + across * girth[..., None, None]
        posed = (local - bones.translation[:, :, None]) @ bones.rotation
        return (self._weights[None, :, :, None] * posed).sum(1)
