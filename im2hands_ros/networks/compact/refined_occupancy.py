"""Two-hand interaction refinement: each hand's occupancy given both (Im2Hands, section 3.3).

Anchors on both initial surfaces attend to each other, with their positions, image features and
depths in the other hand. A query point near a hand's surface attends to the anchors and its depth
is corrected. A point inside of both corrected hands is left to the one in which it lies deeper: the
surfaces meet in the middle instead of passing through each other. Far from the surface, and outside
of the other hand, the initial depth stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.networks.attention import AttentionBlocks
from im2hands_ros.networks.compact.anchor_attention import (
    DEPTH_SCALE,
    POSITION_SCALE,
    AnchorMemory,
    QueryAnchorDecoder,
)
from im2hands_ros.networks.compact.initial_occupancy import InitialContext
from im2hands_ros.networks.compact.presets import EncoderPreset, RefinementPreset
from im2hands_ros.networks.compact.surface_anchors import ANCHOR_COUNT, Anchors, trace_anchors
from im2hands_ros.networks.protocol import HandContext, take

# What the length of an anchor's ray (metres) is divided by for the network.
_REACH_SCALE = 0.01
# Depths in the other hand that make a difference, millimetres.
_OTHER_REACH = 12.0
# A point further than this from all of the other hand's anchors is not in it, metres.
NEAR_ANCHORS = 0.016
_NO_DEPTH = -100.0
# Points down to this depth are separated as well, millimetres, so that the surface that is moved
# is interpolated between separated values.
MARGIN = 4.0


@dataclass(frozen=True, eq=False)
class RefinedContext(HandContext):
    """What the networks compute of H hands before the first query point.

    Attributes:
        network: that evaluates the query points.
        initial: of the hands. other: of each hand's partner, its own where it is alone.
        accompanied: (H,) bool, False for hands that are alone.
        memory: what points of the hands attend to; other_memory: those of their partners.
    """

    network: RefinedOccupancy
    initial: InitialContext
    other: InitialContext
    accompanied: Tensor
    memory: AnchorMemory
    other_memory: AnchorMemory

    def logits(self, points_palm: Tensor) -> Tensor:
        return self.network(points_palm, self)

    def of_partners(self) -> RefinedContext:
        """The field of each hand's partner in the hand's place."""
        return RefinedContext(
            self.other.hands,
            self.network,
            self.other,
            self.initial,
            self.accompanied,
            self.other_memory,
            self.memory,
        )

    def partner_from_palm(self, points_palm: Tensor) -> Tensor:
        """(H, N, 3) points from each hand's palm frame to its partner's."""
        return self.other.hands.palm_from_camera(self.hands.camera_from_palm(points_palm))


class RefinedOccupancy(nn.Module):
    """Corrects the initial depth near the surface. Both hands share all weights."""

    def __init__(self, preset: RefinementPreset, encoder: EncoderPreset) -> None:
        super().__init__()
        self.preset = preset
        inputs = 3 + 3 + 3 + encoder.feature_width
        self.embed = nn.Sequential(
            nn.Linear(inputs, preset.width), nn.ReLU(), nn.Linear(preset.width, preset.width)
        )
        self.identity = nn.Parameter(torch.randn(2 * ANCHOR_COUNT, preset.width) * 0.02)
        self.blocks = AttentionBlocks(preset.blocks, preset.width, preset.heads)
        self.queries = QueryAnchorDecoder(preset)

    def context(
        self, initial: InitialContext, partner: Tensor, accompanied: Tensor
    ) -> RefinedContext:
        """Trace anchors on all initial surfaces and let them attend to each other; once per frame.

        Args:
            initial: of H hands.
            partner: (H,) the other hand of each hand's scene, itself where there is none.
            accompanied: (H,) bool, whether there is one.
        """
        # Tracing follows the surface, not its gradient: nothing to learn from the way there.
        with torch.no_grad():
            anchors = trace_anchors(initial.bones.geometry, initial.logits)
        other = take(initial, partner)
        memory = self._anchor_memory(anchors, initial, other, partner, accompanied)
        return RefinedContext(
            initial.hands, self, initial, other, accompanied, memory, take(memory, partner)
        )

    def forward(self, points_palm: Tensor, context: RefinedContext) -> Tensor:
        """Refined logits (H, N), millimetres of depth, of (H, N, 3) palm-frame points (metres)."""
        depth = context.initial.logits(points_palm)
        depth = self._corrected_in_band(points_palm, depth, context.memory)
        return self._separated(points_palm, depth, context)

    def corrected(self, points_palm: Tensor, initial: Tensor, memory: AnchorMemory) -> Tensor:
        """Depth (H, N) of points (H, N, 3) in their own hand, from the initial one, before the
        hands are separated.

        The correction fades out towards the edge of the band.
        """
        correction = self.queries(points_palm, initial, memory)
        fade = (1 - (initial / self.preset.band).square()).clamp_min(0)
        largest = memory.share * self.preset.largest
        return initial + fade * largest * torch.tanh(correction)

    def partner_depth(self, points_palm: Tensor, context: RefinedContext) -> Tensor:
        """Corrected depth (H, N) of the hands' points in the other one; far below 0 without it."""
        points = context.partner_from_palm(points_palm)
        depth = self.corrected(points, context.other.logits(points), context.other_memory)
        return torch.where(context.accompanied[:, None], depth, _NO_DEPTH)

    def separated(self, own: Tensor, other: Tensor) -> Tensor:
        """Depth in one hand, given the one in the other hand; its sign changes only where both are
        positive, or leave less than the gap between the hands."""
        return own.minimum((own - other) / 2 - self.preset.gap)

    def _corrected_in_band(
        self, points: Tensor, depth: Tensor, memory: AnchorMemory, needed: Tensor | None = None
    ) -> Tensor:
        """Depths (H, N), corrected where they are in the band and the correction is needed."""
        in_band = depth.detach().abs() < self.preset.band
        index = _padded_index(in_band if needed is None else in_band & needed)
        if index is None:
            return depth
        corrected = self.corrected(_pick(points, index), depth.gather(1, index), memory)
        return depth.scatter(1, index, corrected)

    def _separated(self, points: Tensor, depth: Tensor, context: RefinedContext) -> Tensor:
        """Leave to the other hand what lies deeper in it."""
        near_both = self._near_both(points, depth.detach(), context)
        index = _padded_index(near_both)
        if index is None:
            return depth
        points = context.partner_from_palm(_pick(points, index))
        own, other = depth.gather(1, index), context.other.logits(points)
        # A depth that makes no difference to the own one, however corrected, is left as it is.
        needed = other.detach() + self.preset.largest > -own.detach() - 2 * self.preset.gap
        other = self._corrected_in_band(points, other, context.other_memory, needed)
        # Points that only pad keep their depth.
        separated = torch.where(near_both.gather(1, index), self.separated(own, other), own)
        return depth.scatter(1, index, separated)

    def _near_both(self, points: Tensor, depth: Tensor, context: RefinedContext) -> Tensor:
        """(H, N) bool, True for points in a hand or almost, and near the other hand's anchors."""
        anchors = context.memory.positions[:, ANCHOR_COUNT:]
        low, high = anchors.amin(1, keepdim=True), anchors.amax(1, keepdim=True)
        middle, half = (low + high) / 2, (high - low) / 2 + NEAR_ANCHORS
        within = ((points - middle).abs() < half).all(-1) & (depth > -MARGIN)
        within &= context.accompanied[:, None]
        index = _padded_index(within)
        if index is None:
            return within
        near = torch.cdist(_pick(points, index).float(), anchors).amin(-1) < NEAR_ANCHORS
        return within & torch.zeros_like(within).scatter(1, index, near)

    def _anchor_memory(
        self,
        anchors: Anchors,
        initial: InitialContext,
        other: InitialContext,
        partner: Tensor,
        accompanied: Tensor,
    ) -> AnchorMemory:
        """Keys and values of each hand's anchors and its partner's, after self-attention."""
        hands = initial.hands
        in_camera = hands.camera_from_palm(anchors.positions)
        with torch.no_grad():
            in_other = other.logits(other.hands.palm_from_camera(in_camera)).float()
        in_other = torch.where(accompanied[:, None], in_other, -_OTHER_REACH)
        scalars = torch.stack(
            [
                anchors.reach / _REACH_SCALE,
                anchors.depth / DEPTH_SCALE,
                in_other.clamp(-_OTHER_REACH, _OTHER_REACH) / DEPTH_SCALE,
            ],
            dim=-1,
        )
        features = torch.cat([scalars, initial.network.sample(in_camera, initial)], dim=-1)
        tip_camera = hands.camera_from_palm(anchors.positions + 0.01 * anchors.directions)
        other_positions = hands.palm_from_camera(in_camera[partner])
        other_tips = hands.palm_from_camera(tip_camera[partner])
        positions = torch.cat([anchors.positions, other_positions], dim=1)
        directions = torch.cat([anchors.directions, (other_tips - other_positions) / 0.01], dim=1)
        features = torch.cat([features, features[partner]], dim=1)
        inputs = torch.cat([positions / POSITION_SCALE, directions, features], dim=-1)
        tokens = self.embed(inputs) + self.identity
        mask = F.pad(accompanied[:, None].expand(-1, ANCHOR_COUNT), (ANCHOR_COUNT, 0), value=True)
        tokens = self.blocks(tokens, mask)
        memory = self.queries.precompute(positions, tokens, mask)
        # In training every correction counts: a hand given none would have nothing to learn from.
        return memory if self.training else self._with_share(anchors, memory)

    def _with_share(self, anchors: Anchors, memory: AnchorMemory) -> AnchorMemory:
        """No share of the correction for a hand whose surface would hardly move, by its own
        anchors: that little is the network's own error."""
        corrected = self.corrected(anchors.positions, anchors.depth, memory)
        change = (corrected - anchors.depth).square().mean(1, keepdim=True).sqrt()
        low, high = self.preset.correction_ramp
        return memory._replace(share=((change - low) / (high - low)).clamp(0, 1))


def _padded_index(mask: Tensor) -> Tensor | None:
    """(H, M) indices of the points where the (H, N) mask is True, for every hand as many as the
    hand with most of them, other points as padding; None when there are none."""
    count = int(mask.sum(1).max())
    if not count:
        return None
    return mask.to(torch.uint8).topk(count, dim=1, sorted=False).indices


def _pick(points: Tensor, index: Tensor) -> Tensor:
    """(H, M, 3) of the (H, N, 3) points."""
    return points.gather(1, index[..., None].expand(-1, -1, 3))
