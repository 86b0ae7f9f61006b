"""Keypoint refinement: coarse joints of both hands and one look at the image to better joints.

After Im2Hands, section 3.4: joints are tokens that talk to each other and to the image. Here the
image speaks through the encoder that all stages share: each joint is shown the patch of features
around where it is thought to be and told where its own heat map sees it, and all joints attend to
the coarse image features. A few rounds, each from the joints of the one before.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.attention import AttentionBlock
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.presets import EncoderPreset, KeypointPreset
from im2hands_ros.precision import autocast_disabled
from im2hands_ros.skeleton import JOINT_COUNT, PARENTS, SIDES

_STRIDE = 4
# Metres per unit of what the network sees and says.
_HAND_UNIT, _BONE_UNIT, _STEP_UNIT = 0.05, 0.03, 0.01
_GEOMETRY_WIDTH = 3 + 3 + 4 + 4 + 4
_MOMENTS = 4


class CoarseHands(NamedTuple):
    """Joints of B scenes as a tracker reports them, left hands in slot 0.

    Attributes:
        joints: (B, 2, 21, 3) MANO order, metres, camera frame; finite also where absent.
        present: (B, 2) bool.
        intrinsics: (B, 3, 3) of the scenes' crops, pixels.
    """

    joints: Tensor
    present: Tensor
    intrinsics: Tensor

    def exchanged(self, swapped: Tensor) -> CoarseHands:
        """Left and right exchanged where the (B,) mask is True."""
        joints = torch.where(swapped[:, None, None, None], self.joints.flip(1), self.joints)
        present = torch.where(swapped[:, None], self.present.flip(1), self.present)
        return self._replace(joints=joints, present=present)


class RefinedKeypoints(NamedTuple):
    """What the network makes of B scenes.

    Attributes:
        joints: (B, 2, 21, 3) metres, camera frame; sides as they really are.
        present: (B, 2) bool, exchanged where sides were.
        spread: (B, 2, 21) expected distance from the truth, metres.
        swapped: (B,) logits that the tracker took the left hand for the right one and vice versa.
        rounds: the joints after every round; ``joints`` are the last ones, of hands that were
            worth moving.
    """

    joints: Tensor
    present: Tensor
    spread: Tensor
    swapped: Tensor
    rounds: tuple[Tensor, ...]


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
        seen = _MOMENTS * (1 + len(preset.windows)) + patch
        self.rounds = nn.ModuleList(Round(preset, seen) for _ in preset.patch_spacings)
        self.side = nn.Linear(width, 1)
        self.spread = nn.Linear(width, 1)

    def forward(
        self, features: ImageFeatures | None, coarse: CoarseHands, swapped: Tensor | None = None
    ) -> RefinedKeypoints:
        """Refine the joints of B scenes.

        Args:
            features: of the scenes' B crops; None: by what hands are like, alone.
            coarse: what the tracker reports.
            swapped: (B,) bool, where sides are known to be exchanged (training); None: decide.
        """
        tokens = self.identity.flatten(0, 1).expand(len(coarse.joints), -1, -1)
        image = self.image_positions.expand(len(coarse.joints), -1, -1)
        seen = None
        if features is not None:
            with autocast_disabled(coarse.joints):
                seen = Seen(features, self.preset, self.crop_size)
            image = image + self.image(features.context.flatten(2).transpose(1, 2))
        hands, history = coarse, []
        for number, step in enumerate(self.rounds):
            spacing = self.preset.patch_spacings[number]
            with autocast_disabled(hands.joints):
                shown = None if seen is None else seen.at(hands, spacing)
            tokens, image, moved = step(tokens, image, hands, shown)
            if number == 0:
                side = self._side(tokens, hands.present)
                exchange = side > self.preset.swap_logit if swapped is None else swapped
                # Who is exchanged starts again: the first round looked for the wrong hands.
                moved = torch.where(exchange[:, None, None, None], hands.joints, moved)
                hands = hands._replace(joints=moved).exchanged(exchange)
            else:
                hands = hands._replace(joints=moved)
            history.append(hands.joints)
        spread = F.softplus(self.spread(tokens).float()) * _STEP_UNIT
        spread = spread[..., 0].unflatten(1, (len(SIDES), JOINT_COUNT))
        joints = self._worth_moving(coarse.exchanged(exchange).joints, hands.joints)
        return RefinedKeypoints(joints, hands.present, spread, side, tuple(history))

    def _worth_moving(self, given: Tensor, found: Tensor) -> Tensor:
        """Joints (B, 2, 21, 3) of a hand stay as given where the network finds them good."""
        low, high = self.preset.worth_moving
        change = (found - given).square().sum(-1).mean(-1).sqrt()
        share = ((change - low) / (high - low)).clamp(0, 1)
        return given + share[..., None, None] * (found - given)

    def _side(self, tokens: Tensor, present: Tensor) -> Tensor:
        """(B,) logits that sides are exchanged: the mean opinion of the joints that are there."""
        opinion = self.side(tokens)[..., 0].float().unflatten(1, (len(SIDES), JOINT_COUNT)).mean(-1)
        return (opinion * present).sum(1) / present.sum(1).clamp_min(1)


class Round(nn.Module):
    """Look at the joints where they are now, talk, and move them."""

    def __init__(self, preset: KeypointPreset, seen: int) -> None:
        super().__init__()
        width = preset.width
        self.place = nn.Sequential(
            nn.Linear(_GEOMETRY_WIDTH, width), nn.ReLU(inplace=True), nn.Linear(width, width)
        )
        # Starts at zero, so that what was learned without images is not disturbed.
        self.look = nn.Linear(seen, width)
        nn.init.zeros_(self.look.weight)
        # What a whole hand says about each of its joints: hands are much alike.
        self.hand = nn.Sequential(
            nn.Linear(2 * 3 * JOINT_COUNT, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, preset.hand_width),
            nn.ReLU(inplace=True),
            nn.Linear(preset.hand_width, JOINT_COUNT * width),
        )
        self.blocks = nn.ModuleList(
            AttentionBlock(width, preset.heads) for _ in range(preset.blocks)
        )
        self.norm = nn.LayerNorm(width)
        # In the axes of the palm, where hands are alike, and in those of the camera.
        self.step = nn.Linear(width, 6)
        # Starts by leaving the joints where they are.
        nn.init.zeros_(self.step.weight)
        nn.init.zeros_(self.step.bias)

    def forward(
        self, tokens: Tensor, image: Tensor, hands: CoarseHands, seen: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 42, W) joint tokens, (B, G, W) image tokens and (B, 2, 21, C) of what is seen, if
        anything, to both tokens and the moved joints (B, 2, 21, 3)."""
        with autocast_disabled(hands.joints):
            palm = palm_axes(hands.joints)
            geometry = geometry_of(hands, palm)
        told = self.hand(geometry[..., :6].flatten(2)).unflatten(2, (JOINT_COUNT, -1))
        told = told + self.place(geometry)
        if seen is not None:
            told = told + self.look(seen)
        tokens = tokens + told.flatten(1, 2)
        joint_count = tokens.shape[1]
        everything = torch.cat([tokens, image], dim=1)
        listened = hands.present.repeat_interleave(JOINT_COUNT, dim=1)
        listened = F.pad(listened, (0, image.shape[1]), value=True)[:, None, None]
        for block in self.blocks:
            everything = block(everything, listened)
        tokens, image = everything[:, :joint_count], everything[:, joint_count:]
        step = self.step(self.norm(tokens)).float().unflatten(1, (len(SIDES), JOINT_COUNT))
        with autocast_disabled(hands.joints):
            moved = step[..., :3] @ palm.transpose(2, 3) + step[..., 3:]
        return tokens, image, hands.joints + moved * _STEP_UNIT


class Seen:
    """What the encoder saw of the joints, asked for at any guess of where they are."""

    def __init__(self, features: ImageFeatures, preset: KeypointPreset, crop_size: int) -> None:
        self._windows, self._reach, self._crop_size = preset.windows, preset.patch_reach, crop_size
        self._pixels = features.pixels.float()
        self._heat = features.joints.float().unflatten(1, (len(SIDES), JOINT_COUNT))
        self._everywhere = _moments_of_maps(self._heat)

    def at(self, hands: CoarseHands, spacing: float) -> Tensor:
        """(B, 2, 21, C): moments of each joint's heat, and the features around the joint.

        spacing: of the patch's samples, feature pixels.
        """
        projected = hands.joints @ hands.intrinsics[:, None].transpose(2, 3)
        depth = projected[..., 2:].clamp_min(0.05)
        pixels = ((projected[..., :2] / depth - (_STRIDE - 1) / 2) / _STRIDE).clamp(-48, 96)
        # Metres that one feature pixel spans at the joint, in the unit of the steps.
        scale = _STRIDE * depth / hands.intrinsics[:, None, None, :1, 0] / _STEP_UNIT
        mean, spread, peak = self._everywhere
        looks = [torch.cat([(mean - pixels) * scale, spread * scale, peak], dim=-1).clamp(-5, 5)]
        for reach, step in self._windows:
            offset, spread, mass = self._near(pixels, _window(reach, step, pixels))
            looks.append(torch.cat([offset * scale, spread * scale, mass], dim=-1))
        patch = self._patch(pixels, _window(self._reach, spacing, pixels))
        return torch.cat([*looks, patch], dim=-1)

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
    """(B, 2, 21, C) what the joints' places say, without the image; the first 6 of one hand alone.

    palm: (B, 2, 3, 3) axes of the palms.
    """
    joints = hands.joints
    centre = joints.mean(2, keepdim=True)
    both = hands.present.all(1)[:, None, None, None].to(joints.dtype)
    from_other = (joints - centre.flip(1)) * both / (4 * _HAND_UNIT)
    bones = joints - joints[:, :, list(PARENTS)]
    length = bones.norm(dim=-1, keepdim=True)
    projected = joints @ hands.intrinsics[:, None].transpose(2, 3)
    depth = projected[..., 2:].clamp_min(0.05)
    focal = hands.intrinsics[:, None, None, :1, 0].expand_as(depth)
    # Where in the crop, how far, and how large a hand looks there.
    view = torch.cat([projected[..., :2] / depth / 96 - 1, depth, focal / 1000], dim=-1)
    own = (joints - centre) / _HAND_UNIT
    in_palm = (joints - joints[:, :, :1]) @ palm / _HAND_UNIT
    known = both.expand(*joints.shape[:-1], 1)
    return torch.cat(
        [own, in_palm, from_other, known, torch.cat([bones, length], -1) / _BONE_UNIT, view], dim=-1
    )


def palm_axes(joints: Tensor) -> Tensor:
    """(B, 2, 3, 3) axes of the palms as columns, those of left hands mirrored."""
    relative = joints - joints[:, :, :1]
    forward = relative[:, :, [5, 9, 13, 17]].mean(2)
    across = relative[:, :, 5] - relative[:, :, 17]
    x = F.normalize(forward, dim=-1, eps=1e-4)
    z = F.normalize(torch.linalg.cross(x, across), dim=-1, eps=1e-4)
    mirror = z.new_tensor([[-1.0], [1.0]])
    return torch.stack([x, torch.linalg.cross(z, x), z * mirror], dim=-1)
