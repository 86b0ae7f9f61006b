"""What the keypoint refinement reads of each joint: its geometry, and the image around it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.constants import constant, indices
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.presets import KeypointPreset
from im2hands_ros.networks.protocol import EncodedFrame
from im2hands_ros.pair import KeypointPair
from im2hands_ros.skeleton import JOINT_COUNT, PARENTS, SIDES

# Metres per unit of the network's inputs and outputs.
HAND_UNIT, BONE_UNIT, STEP_UNIT = 0.05, 0.03, 0.01
# Channels of ``geometry_of``, the first of them that are of one hand alone, and of each of the heat
# map's moments.
GEOMETRY_WIDTH, OF_HAND = 3 + 3 + 4 + 4 + 4, 6
MOMENTS = 4
_STRIDE = 4


class CoarseHands(NamedTuple):
    """Joints of B scenes as a tracker gives them, left hands in slot 0.

    Attributes:
        joints: (B, 2, 21, 3) MANO order, metres, camera frame; finite also where absent.
        present: (B, 2) bool.
        intrinsics: (B, 3, 3) of the scenes' crops, pixels.
    """

    joints: Tensor
    present: Tensor
    intrinsics: Tensor

    def swap(self, swapped: Tensor) -> CoarseHands:
        """Left and right swapped where the (B,) mask is True."""
        joints = torch.where(swapped[:, None, None, None], self.joints.flip(1), self.joints)
        present = torch.where(swapped[:, None], self.present.flip(1), self.present)
        return self._replace(joints=joints, present=present)


def coarse_hands(
    joints: KeypointPair, frame: EncodedFrame[ImageFeatures], device: torch.device | None = None
) -> CoarseHands:
    """The hands of one frame as the keypoint refinement takes them, on the frame's device or this
    one."""
    # An absent hand's joints are masked; any finite ones will do.
    present = joints.present
    known = next(iter(present.values()))
    both = np.stack([present.get(side, known) for side in SIDES])
    device = device or frame.pixels.device
    return CoarseHands(
        torch.as_tensor(both, dtype=torch.float32, device=device)[None],
        torch.tensor([[side in present for side in SIDES]], device=device),
        torch.as_tensor(frame.camera.K, dtype=torch.float32, device=device)[None],
    )


class JointFeatures:
    """Image features of the joints, to be sampled at any estimate of their positions."""

    def __init__(self, features: ImageFeatures, preset: KeypointPreset, crop_size: int) -> None:
        self._windows, self._reach, self._crop_size = preset.windows, preset.patch_reach, crop_size
        self._pixels = features.pixels.float()
        self._heat = features.joints.float().unflatten(1, (len(SIDES), JOINT_COUNT))
        self._whole_maps = _moments_of_maps(self._heat)

    def at(self, hands: CoarseHands, spacing: float) -> Tensor:
        """(B, 2, 21, C): moments of each joint's heat, and the features around the joint.

        spacing: of the patch's samples, feature pixels.
        """
        projected = hands.joints @ hands.intrinsics[:, None].transpose(2, 3)
        depth = projected[..., 2:].clamp_min(0.05)
        pixels = ((projected[..., :2] / depth - (_STRIDE - 1) / 2) / _STRIDE).clamp(-48, 96)
        # Metres that one feature pixel spans at the joint, in the unit of the steps.
        scale = _STRIDE * depth / hands.intrinsics[:, None, None, :1, 0] / STEP_UNIT
        mean, spread, peak = self._whole_maps
        sampled = [torch.cat([(mean - pixels) * scale, spread * scale, peak], dim=-1).clamp(-5, 5)]
        for reach, step in self._windows:
            offset, spread, mass = self._near(pixels, _window(reach, step, pixels))
            sampled.append(torch.cat([offset * scale, spread * scale, mass], dim=-1))
        patch = self._patch(pixels, _window(self._reach, spacing, pixels))
        return torch.cat([*sampled, patch], dim=-1)

    def _near(self, pixels: Tensor, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean offset, spread (feature pixels) and log mass of the heat in a (P, 2) window."""
        grid = pixels.flatten(0, 2)[:, None, None] + window[None, None]
        maps = self._heat.flatten(0, 2)[:, None]
        logits = F.grid_sample(
            maps, self._normalised(grid), padding_mode="border", align_corners=False
        )[:, 0, 0]
        shares = logits.softmax(-1)
        mean = shares @ window
        spread = (shares @ window.square() - mean.square()).sum(-1, keepdim=True).clamp_min(0)
        mass = logits.logsumexp(-1) - maps.flatten(1).logsumexp(-1)
        shape = pixels.shape[:-1]
        return (
            mean.view(*shape, 2),
            (spread + 1e-6).sqrt().view(*shape, 1),
            mass.view(*shape, 1).clamp(-20, 5) / 5,
        )

    def _patch(self, pixels: Tensor, window: Tensor) -> Tensor:
        """(B, 2, 21, P C) features in a (P, 2) window around each joint."""
        grid = self._normalised(pixels.flatten(1, 2)[:, :, None] + window)
        sampled = F.grid_sample(self._pixels, grid, padding_mode="border", align_corners=False)
        return sampled.permute(0, 2, 3, 1).flatten(2).unflatten(1, (len(SIDES), JOINT_COUNT))

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (2 * pixels + 1) * (_STRIDE / self._crop_size) - 1


def _window(reach: int, spacing: float, like: Tensor) -> Tensor:
    """(P, 2) offsets (x, y) of a square window, feature pixels."""
    axis = torch.arange(-reach, reach + 1, device=like.device) * spacing
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).flatten(0, 1)


def _moments_of_maps(heat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (x, y), spread (both (…, 1 or 2), feature pixels) and peak log share of each map."""
    height, width = heat.shape[-2:]
    shares = heat.flatten(-2).softmax(-1).unflatten(-1, (height, width))
    of_x, of_y = shares.sum(-2), shares.sum(-1)
    x = torch.arange(width, device=heat.device, dtype=heat.dtype)
    y = torch.arange(height, device=heat.device, dtype=heat.dtype)
    mean = torch.stack([of_x @ x, of_y @ y], dim=-1)
    square = of_x @ x.square() + of_y @ y.square()
    spread = (square - mean.square().sum(-1)).clamp_min(1e-6).sqrt()[..., None]
    peak = shares.flatten(-2).amax(-1, keepdim=True).clamp_min(1e-6).log() / 5
    return mean, spread, peak


def geometry_of(hands: CoarseHands, palm: Tensor) -> Tensor:
    """(B, 2, 21, C) features of the joints' positions; the first OF_HAND are of one hand alone.

    palm: (B, 2, 3, 3) axes of the palms.
    """
    joints = hands.joints
    centre = joints.mean(2, keepdim=True)
    both = hands.present.all(1)[:, None, None, None].to(joints.dtype)
    from_other = (joints - centre.flip(1)) * both / (4 * HAND_UNIT)
    bones = joints - joints[:, :, indices(tuple(PARENTS), joints.device)]
    length = bones.norm(dim=-1, keepdim=True)
    projected = joints @ hands.intrinsics[:, None].transpose(2, 3)
    depth = projected[..., 2:].clamp_min(0.05)
    focal = hands.intrinsics[:, None, None, :1, 0].expand_as(depth)
    # Position in the crop, depth, and how large a hand appears there.
    view = torch.cat([projected[..., :2] / depth / 96 - 1, depth, focal / 1000], dim=-1)
    own = (joints - centre) / HAND_UNIT
    in_palm = (joints - joints[:, :, :1]) @ palm / HAND_UNIT
    known = both.expand(*joints.shape[:-1], 1)
    return torch.cat(
        [own, in_palm, from_other, known, torch.cat([bones, length], -1) / BONE_UNIT, view], dim=-1
    )


def palm_axes(joints: Tensor) -> Tensor:
    """(B, 2, 3, 3) axes of the palms as columns, those of left hands mirrored."""
    relative = joints - joints[:, :, :1]
    forward = relative[:, :, indices((5, 9, 13, 17), joints.device)].mean(2)
    across = relative[:, :, 5] - relative[:, :, 17]
    x = F.normalize(forward, dim=-1, eps=1e-4)
    z = F.normalize(torch.linalg.cross(x, across), dim=-1, eps=1e-4)
    mirror = constant(((-1.0,), (1.0,)), z.device)
    return torch.stack([x, torch.linalg.cross(z, x), z * mirror], dim=-1)
