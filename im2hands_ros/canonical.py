"""Keypoints of a hand to its palm frame and 16 bone frames (HALO canonicalisation).

Works on batches of hands at once and is differentiable. Names: ``joints`` are 21 joints in MANO
order, metres. Left hands are mirrored (x negated) first, so every hand is reasoned about as a
right hand. Frames: *palm* has its origin at the wrist, the middle MCP on -x, the palm normal on
+y and the index MCP at z > 0. Source: HALO (3DV 2021), section 3.2, and its keypoint converter.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from im2hands_ros.precision import autocast_disabled
from im2hands_ros.rotations import angle, apply, norm, rotation_about, signed_angle, unit

# Side of the published query box: box coordinate = palm coordinate / BOX_SCALE.
BOX_SCALE = 0.4
# Slot 0 is the palm; slots 1.. are the three bones (MCP, PIP, DIP to tip) of each finger in
# MANO's internal order: index, middle, pinky, ring, thumb.
BONE_SLOT_COUNT = 16
_SLOT_FINGERS = (1, 2, 4, 3, 0)

_PLANE_ANGLE_TARGETS = (0.8, 0.2, 0.2)
_SPREAD_ANGLE_TARGETS = (0.4, 0.2, 0.2, 0.2)
_ANGLE_EPS = 1e-6
_LENGTH_EPS = 1e-9


class CanonicalHands(NamedTuple):
    """Canonical frames of B hands.

    Attributes:
        palm_from_hand: (B, 3, 3) rotation from the (mirrored) camera axes to the palm frame.
        wrist: (B, 3) wrist position in the (mirrored) camera frame, metres.
        bone_from_palm: (B, 16, 3, 4) rigid maps from the palm frame to each straightened bone
            slot (palm axes, metres): ``x_bone = R x_palm + t``.
        bone_lengths: (B, 16) metres; slot 0 is wrist to middle MCP.
        metacarpal_from_palm: (B, 5, 3, 4) the same maps for the thumb to pinky metacarpals.
        metacarpal_lengths: (B, 5) metres, wrist to each finger's first joint.
        joints_palm: (B, 21, 3) joints in the palm frame, metres.
        mirrored: (B,) bool, True for left hands.
    """

    palm_from_hand: Tensor
    wrist: Tensor
    bone_from_palm: Tensor
    bone_lengths: Tensor
    metacarpal_from_palm: Tensor
    metacarpal_lengths: Tensor
    joints_palm: Tensor
    mirrored: Tensor

    def to(self, device: torch.device) -> CanonicalHands:
        """The same on a device."""
        return CanonicalHands._make(part.to(device) for part in self)

    def palm_from_camera(self, points_camera: Tensor) -> Tensor:
        """(B, N, 3) camera-frame points to each hand's palm frame."""
        points = mirror(points_camera, self.mirrored) - self.wrist[:, None]
        with autocast_disabled(points):
            return points @ self.palm_from_hand.transpose(1, 2)

    def camera_from_palm(self, points_palm: Tensor) -> Tensor:
        """(B, N, 3) palm-frame points to the camera frame."""
        with autocast_disabled(points_palm):
            turned = points_palm @ self.palm_from_hand
        return mirror(turned + self.wrist[:, None], self.mirrored)


def mirror(points: Tensor, mirrored: Tensor) -> Tensor:
    """Negate x of (B, N, 3) points where the (B,) mask is True."""
    sign = torch.ones(len(mirrored), 1, 3, dtype=points.dtype, device=points.device)
    sign[:, :, 0] = torch.where(mirrored, -1.0, 1.0)[:, None].to(points.dtype)
    return points * sign


def canonicalise(joints: Tensor, mirrored: Tensor) -> CanonicalHands:
    """Compute palm and bone frames from joints.

    Args:
        joints: (B, 21, 3) MANO order, metres, camera (or any right-handed) frame.
        mirrored: (B,) bool, True for left hands.

    Returns:
        Frames in the dtype of ``joints``; finite for straight fingers and zero-length bones.
        Computed in float64, because chained small angles lose float32's last digits.
    """
    hand = mirror(joints.double(), mirrored)
    wrist = hand[:, 0]
    hand = hand - wrist[:, None]
    palm_from_hand = _align_palm(hand)
    palm_joints = hand @ palm_from_hand.transpose(1, 2)
    result = (palm_from_hand, wrist, *_bone_transforms(palm_joints), palm_joints, mirrored)
    return CanonicalHands._make(
        value if value is mirrored else value.to(joints.dtype) for value in result
    )


def _align_palm(hand: Tensor) -> Tensor:
    """(B, 3, 3) rotation that puts the middle MCP on -x and the palm normal on +y."""
    middle, index = unit(hand[:, 9]), unit(hand[:, 5])
    down = middle.new_tensor([0.0, -1.0, 0.0]).expand_as(middle)
    forward = middle.new_tensor([0.0, 0.0, 1.0]).expand_as(middle)
    first = _align(middle, down)
    second = _align(apply(first, torch.linalg.cross(middle, index)), forward)
    return (second @ first)[:, [1, 2, 0]]


def _bone_transforms(joints: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, 21, 3) palm joints to slot and metacarpal transforms, each with its lengths."""
    fingers = joints[:, 1:].reshape(-1, 5, 4, 3)  # finger, level
    wrist = torch.zeros_like(fingers[:, :, :1])
    parents = torch.cat([wrist, fingers[:, :, :3]], dim=2)
    difference = fingers - parents
    lengths = norm(difference).clamp_min(_LENGTH_EPS)
    bones = difference / lengths

    palm_maps = _normalise_planes(bones[:, :, 0])
    palm_maps = _normalise_spread(apply(palm_maps, bones[:, :, 0])) @ palm_maps
    bones = apply(palm_maps[:, :, None], bones)
    rotations = _unposing_rotations(bones)

    offset = torch.zeros_like(bones[:, :, 0])
    slots = []
    for level in range(4):
        rotation = rotations[level] @ palm_maps
        translation = offset - apply(rotation, parents[:, :, level])
        slots.append(torch.cat([rotation, translation[..., None]], dim=-1))
        offset = offset + apply(rotations[level], lengths[:, :, level] * bones[:, :, level])
    lengths = lengths[..., 0]
    return *_gather_slots(slots, lengths), slots[0], lengths[:, :, 0]


def _gather_slots(levels: list[Tensor], lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Pick the 16 published slots from per-finger, per-level transforms and lengths."""
    per_finger = torch.stack(levels[1:], dim=2)[:, list(_SLOT_FINGERS)]
    palm = torch.eye(3, 4, dtype=lengths.dtype, device=lengths.device)
    palm = palm.expand(len(lengths), 1, 3, 4)
    transforms = torch.cat([palm, per_finger.flatten(1, 2)], dim=1)
    finger_lengths = lengths[:, list(_SLOT_FINGERS), 1:].flatten(1)
    return transforms, torch.cat([lengths[:, 2, :1], finger_lengths], dim=1)


def _normalise_planes(roots: Tensor) -> Tensor:
    """Rotations (B, 5, 3, 3) that set the angles between neighbouring metacarpal planes."""
    thumb, index, middle, ring, pinky = roots.unbind(1)
    cross = torch.linalg.cross
    targets = _PLANE_ANGLE_TARGETS
    index_plane = cross(middle, index)
    thumb_angle = signed_angle(cross(index, thumb), index_plane, index)
    thumb_map = rotation_about(index, thumb_angle - targets[0])
    ring_angle = signed_angle(cross(ring, middle), index_plane, middle)
    ring_map = rotation_about(middle, ring_angle + targets[1])
    ring, pinky = apply(ring_map, ring), apply(ring_map, pinky)
    pinky_angle = signed_angle(cross(pinky, ring), cross(ring, middle), ring)
    pinky_map = rotation_about(ring, pinky_angle + targets[2]) @ ring_map
    identity = torch.eye(3, dtype=roots.dtype, device=roots.device).expand_as(ring_map)
    return torch.stack([thumb_map, identity, identity, ring_map, pinky_map], dim=1)


def _normalise_spread(roots: Tensor) -> Tensor:
    """Rotations (B, 5, 3, 3) that set the angles between neighbouring metacarpals."""
    thumb, index, middle, ring, pinky = roots.unbind(1)
    targets = _SPREAD_ANGLE_TARGETS

    def turn(a: Tensor, b: Tensor, target: float, sign: float) -> Tensor:
        axis = unit(torch.linalg.cross(a, b))
        return rotation_about(axis, sign * (target - signed_angle(a, b, axis)))

    index_map = turn(middle, index, targets[1], 1)
    thumb, index = apply(index_map, thumb), apply(index_map, index)
    thumb_map = turn(index, thumb, targets[0], 1) @ index_map
    ring_map = turn(ring, middle, targets[2], -1)
    ring, pinky = apply(ring_map, ring), apply(ring_map, pinky)
    pinky_map = turn(pinky, ring, targets[3], -1) @ ring_map
    identity = torch.eye(3, dtype=roots.dtype, device=roots.device).expand_as(ring_map)
    return torch.stack([thumb_map, index_map, identity, ring_map, pinky_map], dim=1)


def _unposing_rotations(bones: Tensor) -> list[Tensor]:
    """Per level, (B, 5, 3, 3) rotations that straighten each finger along its metacarpal."""
    frame = _knuckle_frames(bones)
    flex, lift = _angles(apply(frame, bones[:, :, 1]), negative_up=False)
    frames, straighten = [frame], [_straighten(apply(frame, bones[:, :, 1]))]
    for level in (2, 3):
        frame = _child_frame(frame, flex, lift)
        local = apply(frame, bones[:, :, level])
        flex, lift = _angles(local, negative_up=False)
        frames.append(frame)
        straighten.append(_straighten(local))
    identity = torch.eye(3, dtype=bones.dtype, device=bones.device).expand_as(frame)
    first, second, third = straighten
    # The published order of the two parent rotations differs between levels 2 and 3.
    products = (first, first @ second, (second @ first) @ third)
    turned = [f.transpose(-1, -2) @ p @ f for f, p in zip(frames, products, strict=True)]
    return [identity, *turned]


def _knuckle_frames(bones: Tensor) -> Tensor:
    """(B, 5, 3, 3) frames (rows x, y, z) of each finger's first bone; z is the metacarpal."""
    roots = bones[:, :, 0]
    normals = unit(torch.linalg.cross(roots[:, :-1], roots[:, 1:]), _LENGTH_EPS)
    q0, q1, q2, q3 = normals.unbind(1)
    finger_normals = torch.stack([q0, q1, (q1 + q2) / 2, (q2 + q3) / 2, q3], dim=1)
    y = torch.linalg.cross(roots, finger_normals)
    x = unit(torch.linalg.cross(y, roots))
    return torch.stack([x, unit(y), roots], dim=-2)


def _child_frame(frame: Tensor, flex: Tensor, lift: Tensor) -> Tensor:
    """Turn a frame with its bone: the child's z is the bone's direction."""
    axis_y = frame[..., 1, :]
    axis_x = apply(frame.transpose(-1, -2), _flexed_x(flex))
    turn = rotation_about(axis_x, -lift) @ rotation_about(axis_y, flex)
    return frame @ turn.transpose(-1, -2)


def _straighten(local: Tensor) -> Tensor:
    """Rotation that maps a bone, given in its own frame, to +z."""
    flex, lift = _angles(local, negative_up=True)
    y = torch.zeros_like(local)
    y[..., 1] = 1
    return rotation_about(y, -flex) @ rotation_about(_flexed_x(flex), -lift)


def _flexed_x(flex: Tensor) -> Tensor:
    return torch.stack([flex.cos(), torch.zeros_like(flex), -flex.sin()], dim=-1)


def _angles(local: Tensor, negative_up: bool) -> tuple[Tensor, Tensor]:
    """Flexion about y and elevation of a bone in its own frame, clipped as published.

    The clip keeps angles at least 1.4 mrad away from 0 and so their gradients finite.
    """
    x, y, z = local.unbind(-1)
    # sqrt has no gradient at 0; the published floor of 1e-9 is applied to the root.
    horizontal_squared = x**2 + z**2
    horizontal = horizontal_squared.clamp_min(_LENGTH_EPS**2).sqrt()
    z = torch.where(z.abs() < _ANGLE_EPS, torch.zeros_like(z), z)
    low, high = -1 + _ANGLE_EPS, 1 - _ANGLE_EPS
    flex = torch.acos((z / horizontal).clamp(low, high))
    flex = torch.where(x + _ANGLE_EPS < 0, -flex, flex)
    lift = torch.acos((horizontal_squared / horizontal).clamp(low, high))
    below = y + _ANGLE_EPS > 0 if negative_up else y + _ANGLE_EPS < 0
    return flex, torch.where(below, -lift, lift)


def _align(a: Tensor, b: Tensor) -> Tensor:
    return rotation_about(unit(torch.linalg.cross(a, b)), angle(a, b))
