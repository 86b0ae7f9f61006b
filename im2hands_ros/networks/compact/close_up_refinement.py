"""Keypoints refined once more by what close-ups show, after Im2Hands' section 3.4.

The first refinement reads a crop of both hands in which a finger is two cells wide. Around the
joints that it finds, close-ups of the picture say how far each one lies beside its finger; the
joints then attend to each other again. True joints stay: as of the first refinement, a hand with a
small correction is left as it was given.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.close_ups import BONE_MAPS, CELLS, CloseUps
from im2hands_ros.networks.compact.joint_features import (
    GEOMETRY_WIDTH,
    OF_HAND,
    STEP_UNIT,
    CoarseHands,
    geometry_of,
    palm_axes,
)
from im2hands_ros.networks.compact.joint_round import JointRound, step_in_camera
from im2hands_ros.networks.compact.presets import CloseUpPreset
from im2hands_ros.precision import autocast_disabled
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

_BOTH = len(SIDES) * JOINT_COUNT
_BY_HAND = OF_HAND + 3 + 3
_BESIDE = 3 + 2 + 4 + 3 + 3
_REACH = 6.0


class Found(NamedTuple):
    """Of B scenes.

    Attributes:
        joints: (B, 2, 21, 3) metres, camera frame; rounds: after every round.
        spread: (B, 2, 21) expected distance from the truth, metres.
        offsets: (B, 2, 21, 3) how far each joint is off in its close-up, x and y in steps of the
            refinement, and the logarithm of its expected size.
    """

    joints: Tensor
    spread: Tensor
    rounds: tuple[Tensor, ...]
    offsets: Tensor


class CloseUpRefinement(nn.Module):
    """Refines both hands at once; one alone is fine."""

    def __init__(self, preset: CloseUpPreset) -> None:
        super().__init__()
        self.preset = preset
        self.conv = CloseUpEncoder(preset)
        self.identity = nn.Parameter(torch.randn(_BOTH, preset.width) * 0.3)
        self.rounds = nn.ModuleList(CloseUpRound(preset) for _ in range(preset.rounds))
        self.spread = nn.Linear(preset.width, 1)

    def forward(self, shown: CloseUps, begin: CoarseHands, given: Tensor) -> Found:
        """Refine the joints of B scenes.

        Args:
            shown: close-ups around the joints to begin with.
            begin: those joints; intrinsics have no effect.
            given: (B, 2, 21, 3) the tracker's, on the same sides.
        """
        offsets, features = self.conv(shown)
        tokens = self.identity.expand(len(given), -1, -1)
        hands, history = begin, []
        for step in self.rounds:
            moved = begin.joints - hands.joints
            tokens, joints = step(tokens, features, offsets, hands, given, moved, shown.axes)
            hands = hands._replace(joints=joints)
            history.append(joints)
        spread = F.softplus(self.spread(tokens)[..., 0].float()) * STEP_UNIT
        spread = spread.unflatten(1, (len(SIDES), JOINT_COUNT))
        return Found(hands.joints, spread, tuple(history), offsets)


class CloseUpEncoder(nn.Module):
    """One close-up to how far its joint is off, and features."""

    def __init__(self, preset: CloseUpPreset) -> None:
        super().__init__()
        first, second = preset.convolutions
        self.first = nn.Conv2d(3, first, 5, 2, 2)
        self.n1 = nn.BatchNorm2d(first)
        self.second = nn.Conv2d(first, second, 3, 2, 1)
        self.hint = nn.Conv2d(BONE_MAPS, second, 3, 1, 1)
        self.who = nn.Parameter(torch.randn(JOINT_COUNT, second) * 0.1)
        self.n2 = nn.BatchNorm2d(second)
        self.more = nn.ModuleList(nn.Conv2d(second, second, 3, 1, 1) for _ in range(preset.more))
        self.more_norms = nn.ModuleList(nn.BatchNorm2d(second) for _ in range(preset.more))
        self.flat = nn.Linear(CELLS**2 * second, preset.width)
        self.n3 = nn.BatchNorm1d(preset.width)
        self.offset = nn.Linear(preset.width, 3)

    def forward(self, shown: CloseUps) -> tuple[Tensor, Tensor]:
        """(B, 2, 21, 3) offsets as in `Found`, and (B, 42, W) features."""
        colours, bones = shown.colours.flatten(0, 1), shown.bones.flatten(0, 1)
        x = F.relu(self.n1(self.first(colours.contiguous(memory_format=torch.channels_last))))
        who = self.who.repeat(len(colours) // JOINT_COUNT, 1)[..., None, None]
        x = F.relu(self.n2(self.second(x) + self.hint(bones) + who))
        for convolution, norm in zip(self.more, self.more_norms, strict=True):
            x = F.relu(x + norm(convolution(x)))
        features = F.relu(self.n3(self.flat(x.flatten(1))))
        offsets = self.offset(features).float().view(-1, len(SIDES), JOINT_COUNT, 3)
        return offsets, features.view(len(offsets), _BOTH, -1)


class CloseUpRound(JointRound):
    """Attend, and move the joints; steps also in the axes of the close-ups."""

    def __init__(self, preset: CloseUpPreset) -> None:
        super().__init__(preset, GEOMETRY_WIDTH + _BESIDE, _BY_HAND, preset.width, 8)

    def forward(
        self,
        tokens: Tensor,
        features: Tensor,
        offsets: Tensor,
        hands: CoarseHands,
        given: Tensor,
        moved: Tensor,
        axes: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """(B, 42, W) tokens to tokens, and the moved joints (B, 2, 21, 3).

        moved: (B, 2, 21, 3) from the hands' joints back to the close-ups' middles.
        """
        with autocast_disabled(hands.joints):
            palm = palm_axes(hands.joints)
            across = F.pad(axes, (0, 1))
            of_hand, of_joint = inputs_of(hands, palm, offsets, given, moved, across)
        tokens = tokens + self.shown(of_hand, of_joint).flatten(1, 2) + self.look(features)
        tokens = self.blocks(tokens, hands.present.repeat_interleave(JOINT_COUNT, dim=1))
        steps = self.steps(tokens)
        with autocast_disabled(hands.joints):
            step = step_in_camera(steps, palm) + _turned(steps[..., 6:], across)
        return tokens, hands.joints + step * STEP_UNIT


def inputs_of(
    hands: CoarseHands, palm: Tensor, offsets: Tensor, given: Tensor, moved: Tensor, across: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, 2, 21, C) of whole hands and of single joints; across: (B, 2, 21, 2, 3) the close-ups'
    axes in the camera frame."""
    geometry = geometry_of(hands, palm)
    # Where in a crop the joint is says nothing here: its depth alone stays of the view.
    depth = hands.joints[..., 2:].clamp_min(0.05)
    geometry = torch.cat([geometry[..., :14], F.pad(depth, (2, 1))], -1)
    back, moved = ((x / STEP_UNIT).clamp(-_REACH, _REACH) for x in (given - hands.joints, moved))
    beside = _in_axes(back, across)
    off = offsets[..., :2] + _in_axes(moved, across)
    off_across = _turned(off, across)
    joint = [geometry, back, beside, across[..., :2].flatten(-2), off, offsets[..., 2:], off_across]
    return torch.cat([geometry[..., :OF_HAND], back, off_across], -1), torch.cat(joint, -1)


def _in_axes(vectors: Tensor, across: Tensor) -> Tensor:
    return (vectors[..., None, :] * across).sum(-1)


def _turned(steps: Tensor, across: Tensor) -> Tensor:
    return (steps[..., None] * across).sum(-2)
