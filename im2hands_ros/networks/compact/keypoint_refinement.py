"""Keypoint refinement: coarse joints of both hands and image features to refined joints.

After Im2Hands, section 3.4: joints are tokens that attend to each other and to the image. Features
come from the encoder that all stages share: of each joint the patch around its estimated position
and the moments of its heat map, of the image the coarse map; and the landmarks that MediaPipe's
network sees, where there are some. A few rounds, each from the joints of the one before.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.compact.finger_planes import out_of_plane
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.joint_features import (
    GEOMETRY_WIDTH,
    MOMENTS,
    OF_HAND,
    STEP_UNIT,
    CoarseHands,
    JointFeatures,
    geometry_of,
    palm_axes,
)
from im2hands_ros.networks.compact.joint_round import JointRound, step_in_camera
from im2hands_ros.networks.compact.landmark_fusion import FusedLandmarks
from im2hands_ros.networks.compact.presets import EncoderPreset, KeypointPreset
from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.precision import autocast_disabled
from im2hands_ros.skeleton import JOINT_COUNT, SIDES

# A joint's confidence is the probability that it is this near to the truth, metres.
_NEAR = 0.01


class RefinedKeypoints(NamedTuple):
    """Refined joints of B scenes.

    Attributes:
        joints: (B, 2, 21, 3) metres, camera frame, on their true sides.
        present: (B, 2) bool, on their true sides.
        spread: (B, 2, 21) expected distance from the truth, metres.
        swapped: (B,) logits that the tracker took the left hand for the right one and vice versa.
        rounds: the joints after every round; ``joints`` are the last ones, of hands whose
            correction is large enough to be applied.
    """

    joints: Tensor
    present: Tensor
    spread: Tensor
    swapped: Tensor
    rounds: tuple[Tensor, ...]

    def estimate(self, swap_logit: float) -> EstimatedJoints:
        """Of the first scene; swap_logit: above which its sides have been swapped."""
        joints, spread = (part[0].float().cpu().numpy() for part in (self.joints, self.spread))
        near = (1 - torch.exp(-_NEAR / self.spread[0].clamp_min(1e-4))).mean(-1).tolist()
        present = [slot for slot, there in enumerate(self.present[0].tolist()) if there]
        return EstimatedJoints(
            HandPair(**{SIDES[slot]: joints[slot] for slot in present}),
            HandPair(**{SIDES[slot]: near[slot] for slot in present}),
            HandPair(**{SIDES[slot]: spread[slot] for slot in present}),
            swapped=bool(self.swapped[0] > swap_logit),
        )


class KeypointRefinement(nn.Module):
    """Refines both hands at once; one alone is fine."""

    def __init__(self, preset: KeypointPreset, encoder: EncoderPreset) -> None:
        super().__init__()
        self.preset = preset
        self.crop_size = encoder.image_size
        width = preset.width
        grid = (encoder.image_size // 32) ** 2
        self.image = nn.Linear(encoder.stage_widths[-1], width)
        self.image_positions = nn.Parameter(torch.randn(grid, width) * 0.02)
        self.identity = nn.Parameter(torch.randn(len(SIDES), JOINT_COUNT, width) * 0.3)
        patch = (2 * preset.patch_reach + 1) ** 2 * encoder.feature_width
        sampled = MOMENTS * (1 + len(preset.windows)) + patch
        self.rounds = nn.ModuleList(Round(preset, sampled) for _ in preset.patch_spacings)
        self.side = nn.Linear(width, 1)
        self.spread = nn.Linear(width, 1)

    def forward(
        self,
        features: ImageFeatures | None,
        coarse: CoarseHands,
        swapped: Tensor | None = None,
        seen: FusedLandmarks | None = None,
    ) -> RefinedKeypoints:
        """Refine the joints of B scenes.

        Args:
            features: of the scenes' B crops; None: from the joints alone.
            coarse: the tracker's joints.
            swapped: (B,) bool, where sides are known to be swapped (training); None: decide.
            seen: landmarks of the hands as given, with the network that reads them.
        """
        tokens = self.identity.flatten(0, 1).expand(len(coarse.joints), -1, -1)
        image = self.image_positions.expand(len(coarse.joints), -1, -1)
        joint_features = None
        if features is not None:
            with autocast_disabled(coarse.joints):
                joint_features = JointFeatures(features, self.preset, self.crop_size)
            image = image + self.image(features.context.flatten(2).transpose(1, 2))
        hands, history = coarse, []
        for number, step in enumerate(self.rounds):
            spacing = self.preset.patch_spacings[number]
            with autocast_disabled(hands.joints):
                sampled = None if joint_features is None else joint_features.at(hands, spacing)
            if seen is not None:
                tokens = tokens + seen.at(number, hands)
            tokens, image, moved = step(tokens, image, hands, sampled)
            if number == 0:
                side = self._side(tokens, hands.present)
                swap = side > self.preset.swap_logit if swapped is None else swapped
                # Swapped hands start again: the first round sampled the wrong heat maps.
                moved = torch.where(swap[:, None, None, None], hands.joints, moved)
                hands = hands._replace(joints=moved).swap(swap)
                seen = seen if seen is None else seen.swap(swap)
            else:
                hands = hands._replace(joints=moved)
            history.append(hands.joints)
        spread = F.softplus(self.spread(tokens).float()) * STEP_UNIT
        spread = spread[..., 0].unflatten(1, (len(SIDES), JOINT_COUNT))
        joints = self.large_corrections(coarse.swap(swap).joints, hands.joints)
        return RefinedKeypoints(joints, hands.present, spread, side, tuple(history))

    def large_corrections(self, given: Tensor, refined: Tensor) -> Tensor:
        """Joints (B, 2, 21, 3); a hand with a small correction stays as given, one whose joints are
        as consistent as true ones also with a larger one."""
        preset = self.preset
        flat, shaken = preset.consistent_ramp, preset.correction_ramp
        noise = _rise(out_of_plane(given), *preset.out_of_plane)
        low, high = (a + noise * (b - a) for a, b in zip(flat, shaken, strict=True))
        change = (refined - given).square().sum(-1).mean(-1).sqrt()
        return given + _rise(change, low, high)[..., None, None] * (refined - given)

    def _side(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(B,) logits that sides are swapped: the mean over the joints of the present hands."""
        logits = self.side(tokens)[..., 0].float().unflatten(1, (len(SIDES), JOINT_COUNT)).mean(-1)
        return (logits * present).sum(1) / present.sum(1).clamp_min(1)


def _rise(values: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """From 0 at the lower limit to 1 at the higher one."""
    return ((values - low) / (high - low)).clamp(0, 1)


class Round(JointRound):
    """Sample features at the joints' positions, attend, and move the joints."""

    def __init__(self, preset: KeypointPreset, sampled: int) -> None:
        super().__init__(preset, GEOMETRY_WIDTH, OF_HAND, sampled, 6)
        # Starts at zero, so that a network trained without images goes on as it was.
        nn.init.zeros_(self.look.weight)

    def forward(
        self, tokens: Tensor, image: Tensor, hands: CoarseHands, sampled: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 42, W) joint tokens, (B, G, W) image tokens and (B, 2, 21, C) sampled features, if
        there is an image, to both tokens and the moved joints (B, 2, 21, 3)."""
        with autocast_disabled(hands.joints):
            palm = palm_axes(hands.joints)
            geometry = geometry_of(hands, palm)
        added = self.shown(geometry[..., :OF_HAND], geometry)
        if sampled is not None:
            added = added + self.look(sampled)
        tokens = tokens + added.flatten(1, 2)
        joint_count = tokens.shape[1]
        sequence = torch.cat([tokens, image], dim=1)
        mask = hands.present.repeat_interleave(JOINT_COUNT, dim=1)
        mask = F.pad(mask, (0, image.shape[1]), value=True)
        sequence = self.blocks(sequence, mask)
        tokens, image = sequence[:, :joint_count], sequence[:, joint_count:]
        steps = self.steps(tokens)
        with autocast_disabled(hands.joints):
            step = step_in_camera(steps, palm)
        return tokens, image, hands.joints + step * STEP_UNIT
