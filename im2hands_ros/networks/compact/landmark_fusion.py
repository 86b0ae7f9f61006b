"""What the landmarks that are seen in the picture say to the keypoint refinement.

A landmark is a ray with a relief; the joints say how far away it is. Each joint's token gets what
landmark and joint differ by, the error expected of the landmark, and what the whole hand differs
by: its place across the view and its size, which tells its distance. All of it begins at zero.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from im2hands_ros.networks.compact.joint_features import HAND_UNIT, STEP_UNIT, CoarseHands
from im2hands_ros.networks.compact.presets import FusionPreset
from im2hands_ros.precision import autocast_disabled
from im2hands_ros.skeleton import JOINT_COUNT, WRIST

# Channels of ``differences_of``: of a joint's own, then those that all joints of a hand share.
_OWN, _SHARED = 9, 6
_WHOLE = 6
_REACH = 6.0


class SeenHands(NamedTuple):
    """Landmarks of B scenes in the hands' slots, left hands in slot 0; of hands that were not
    looked for, anything finite.

    Attributes:
        rays: (B, 2, 21, 2) x/z and y/z in the camera frame, lens undone.
        relief: (B, 2, 21) how much farther away than the wrist, as a share of the distance.
        spread: (B, 2, 21) expected error of x/z and y/z.
        presence: (B, 2) probability that the hand is there; 0: not looked for.
        side: (B, 2) probability that it is of its slot's side.
    """

    rays: Tensor
    relief: Tensor
    spread: Tensor
    presence: Tensor
    side: Tensor

    def swap(self, swapped: Tensor) -> SeenHands:
        """Left and right swapped where the (B,) mask is True."""

        def chosen(value: Tensor) -> Tensor:
            mask = swapped.view(-1, *(1,) * (value.dim() - 1))
            return torch.where(mask, value.flip(1), value)

        flipped = SeenHands(*(chosen(value) for value in self))
        side = torch.where(swapped[:, None], 1 - flipped.side, flipped.side)
        return flipped._replace(side=side)

    def to(self, device: torch.device) -> SeenHands:
        """The same on another device."""
        return SeenHands(*(value.to(device) for value in self))


class FusedLandmarks(NamedTuple):
    """Landmarks, and the network that makes them part of the joints' tokens."""

    seen: SeenHands
    fusion: LandmarkFusion

    def at(self, number: int, hands: CoarseHands) -> Tensor:
        """(B, 42, W) to be added to the tokens of a round that begins at these joints."""
        added: Tensor = self.fusion(number, self.seen, hands)
        return added

    def swap(self, swapped: Tensor) -> FusedLandmarks:
        """Left and right swapped where the (B,) mask is True."""
        return self._replace(seen=self.seen.swap(swapped))


class LandmarkFusion(nn.Module):
    """One small network for each round of the refinement."""

    def __init__(self, preset: FusionPreset, width: int, rounds: int) -> None:
        super().__init__()
        self.rounds = nn.ModuleList(_RoundFusion(preset, width) for _ in range(rounds))

    def forward(self, number: int, seen: SeenHands, hands: CoarseHands) -> Tensor:
        """(B, 42, W) to be added to the joints' tokens."""
        with autocast_disabled(hands.joints):
            differences = differences_of(seen, hands)
        there = (hands.present & (seen.presence > 0))[:, :, None, None]
        return (self.rounds[number](differences) * there).flatten(1, 2)


class _RoundFusion(nn.Module):
    def __init__(self, preset: FusionPreset, width: int) -> None:
        super().__init__()
        self.joint = nn.Sequential(
            nn.Linear(_OWN + _SHARED, preset.joint_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.joint_width, width),
        )
        # Of all landmarks of a hand at once: those that agree explain one that does not.
        self.hand = nn.Sequential(
            nn.Linear(JOINT_COUNT * _WHOLE + _SHARED, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, JOINT_COUNT * width),
        )
        for layer in (self.joint[-1], self.hand[-1]):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, differences: Tensor) -> Tensor:
        """(B, 2, 21, C) to (B, 2, 21, W)."""
        own = differences[..., :_WHOLE].flatten(2)
        whole = torch.cat([own, differences[:, :, 0, _OWN:]], -1)
        return self.joint(differences) + self.hand(whole).unflatten(2, (JOINT_COUNT, -1))  # type: ignore[no-any-return]


def differences_of(seen: SeenHands, hands: CoarseHands) -> Tensor:
    """(B, 2, 21, C) of landmarks and joints, about 1 at a centimetre.

    The first ``_WHOLE`` of the joint's own: across the view 2, relief 1, the landmark's place in
    its hand 3.
    """
    joints = hands.joints
    depth = joints[..., 2:].clamp_min(0.05)
    distance = depth.mean(2, keepdim=True)
    off = seen.rays * depth - joints[..., :2]
    common = off.mean(2, keepdim=True)
    # Landmarks as if all were at the hand's distance, and the joints likewise.
    flat, given = seen.rays * distance, joints[..., :2] * distance / depth
    flat, given = (each - each.mean(2, keepdim=True) for each in (flat, given))
    size = _log_size(flat) - _log_size(given)
    beyond = joints[..., 2:] - joints[:, :, WRIST : WRIST + 1, 2:]
    relief = seen.relief[..., None] * distance
    deeper = relief - beyond
    spread = seen.spread[..., None] * depth
    own = [
        off / STEP_UNIT,
        (deeper - deeper.mean(2, keepdim=True)) / STEP_UNIT,
        flat / HAND_UNIT,
        relief / HAND_UNIT,
        (off - common) / STEP_UNIT,
        (spread / STEP_UNIT).clamp(0.02, 20).log(),
    ]
    shared = [
        common / STEP_UNIT,
        # What the distance would be wrong by if the size is right.
        size * distance / STEP_UNIT,
        (spread / STEP_UNIT).clamp(0.02, 20).log().mean(2, keepdim=True),
        *(_logit(value)[:, :, None, None] for value in (seen.presence, seen.side)),
    ]
    wide = [value.expand(*joints.shape[:3], -1) for value in shared]
    return torch.cat([*own, *wide], -1).clamp(-_REACH, _REACH)


def _log_size(points: Tensor) -> Tensor:
    """(B, 2, 1, 1) logarithm of the mean distance from the middle."""
    mean = points.square().sum(-1, keepdim=True).mean(2, keepdim=True)
    return mean.clamp_min(1e-8).log() / 2


def _logit(share: Tensor) -> Tensor:
    share = share.clamp(0.002, 0.998)
    return (share / (1 - share)).log() / 2
