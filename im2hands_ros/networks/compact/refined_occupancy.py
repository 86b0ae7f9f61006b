"""Two-hand refinement: each hand's occupancy anew, knowing the other one (Im2Hands, section 3.3).

Anchors on both initial surfaces tell each other where they are, what the image shows there and how
deep they lie in the other hand; a query point near a hand's surface attends to them and corrects
its depth. Where both hands claim a place, it belongs to the one that claims it more deeply: the
surfaces meet in the middle instead of passing through each other. Far from the surface, and for
occupancy that no anchor disputes, the initial answer stands.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.networks.attention import AttentionBlock
from im2hands_ros.networks.compact.anchor_attention import (
    DEPTH_SCALE,
    PLACE_SCALE,
    AnchorMemory,
    QueryAnchorDecoder,
)
from im2hands_ros.networks.compact.initial_occupancy import HandContext, InitialOccupancy
from im2hands_ros.networks.compact.surface_anchors import ANCHOR_COUNT, Anchors, trace_anchors
from im2hands_ros.networks.presets import EncoderPreset, RefinementPreset

# What the length of an anchor's ray (metres) is divided by for the network.
_REACH_SCALE = 0.01
# Depths in the other hand that make a difference, millimetres.
_OTHER_REACH = 12.0
# A point further than this from all of the other hand's anchors is not in it, metres.
_NEAR_ANCHORS = 0.016
_NO_DEPTH = -100.0
# Millimetres outside of a hand's surface to which sharing out reaches, so that the surface that it
# moves is interpolated between shared values.
_ALMOST = 4.0


class RefinedContext(NamedTuple):
    """All that is known of H hands before a query point.

    Attributes:
        initial: of the hands. other: of each hand's partner, its own where it is alone.
        accompanied: (H,) bool, False for hands that are alone.
        memory: what points of the hands attend to; other_memory: those of their partners.
    """

    initial: HandContext
    other: HandContext
    accompanied: Tensor
    memory: AnchorMemory
    other_memory: AnchorMemory

    @property
    def hands(self) -> CanonicalHands:
        """Canonical frames of the hands."""
        return self.initial.hands

    @property
    def intrinsics(self) -> Tensor:
        """(H, 3, 3) of the crops, pixels."""
        return self.initial.intrinsics

    def select(self, hand: int) -> RefinedContext:
        """The same for one hand alone (H = 1), its partner remembered."""
        one = slice(hand, hand + 1)
        return RefinedContext(
            self.initial.select(hand),
            self.other.select(hand),
            self.accompanied[one],
            AnchorMemory(*(value[one] for value in self.memory)),
            AnchorMemory(*(value[one] for value in self.other_memory)),
        )

    def exchanged(self) -> RefinedContext:
        """Every hand's partner in its place: to ask about the other hand's occupancy."""
        return RefinedContext(
            self.other, self.initial, self.accompanied, self.other_memory, self.memory
        )


class RefinedOccupancy(nn.Module):
    """Corrects the initial occupancy near the surface. All hands share all weights."""

    def __init__(self, preset: RefinementPreset, encoder: EncoderPreset) -> None:
        super().__init__()
        self.preset = preset
        inputs = 3 + 3 + 3 + encoder.feature_width
        self.embed = nn.Sequential(
            nn.Linear(inputs, preset.width), nn.ReLU(), nn.Linear(preset.width, preset.width)
        )
        self.identity = nn.Parameter(torch.randn(2 * ANCHOR_COUNT, preset.width) * 0.02)
        self.blocks = nn.ModuleList(
            AttentionBlock(preset.width, preset.heads) for _ in range(preset.blocks)
        )
        self.queries = QueryAnchorDecoder(preset)

    def context(
        self, initial: HandContext, partner: Tensor, accompanied: Tensor, network: InitialOccupancy
    ) -> RefinedContext:
        """Look at both initial surfaces; once per frame.

        Args:
            initial: of H hands.
            partner: (H,) the other hand of each hand's scene, itself where there is none.
            accompanied: (H,) bool, whether there is one.
            network: the initial occupancy.
        """
        # Tracing follows the surface, not its gradient: nothing to learn from the way there.
        with torch.no_grad():
            anchors = trace_anchors(initial.bones, lambda points: network(points, initial).float())
        other = initial.take(partner)
        memory = self._memory(anchors, initial, other, partner, accompanied, network)
        other_memory = AnchorMemory(*(value[partner] for value in memory))
        return RefinedContext(initial, other, accompanied, memory, other_memory)

    def forward(
        self, points_palm: Tensor, context: RefinedContext, network: InitialOccupancy
    ) -> Tensor:
        """Refined logits (H, N), millimetres of depth, of (H, N, 3) palm-frame points (metres)."""
        depth = network(points_palm, context.initial)
        depth = self._corrected(points_palm, depth, context.memory)
        return self._shared_out(points_palm, depth, context, network)

    def _corrected(
        self, points: Tensor, depth: Tensor, memory: AnchorMemory, wanted: Tensor | None = None
    ) -> Tensor:
        """Claims instead of initial depths where they differ, around the surface, and are wanted
        (H, N)."""
        near = depth.detach().abs() < self.preset.band
        chosen = _chosen(near if wanted is None else near & wanted)
        if chosen is None:
            return depth
        places = points.gather(1, _for_places(chosen))
        return depth.scatter(1, chosen, self.claimed(places, depth.gather(1, chosen), memory))

    def claimed(self, points_palm: Tensor, initial: Tensor, memory: AnchorMemory) -> Tensor:
        """What a hand claims: depth (H, N) of its points, from their initial one, whatever the
        other hand claims.

        The correction fades out towards the edge of the band.
        """
        correction = self.queries(points_palm, initial, memory)
        fade = (1 - (initial / self.preset.band).square()).clamp_min(0)
        largest = memory.share * self.preset.largest
        return initial + fade * largest * torch.tanh(correction)

    def other_claim(
        self, points_palm: Tensor, context: RefinedContext, network: InitialOccupancy
    ) -> Tensor:
        """What the other hand claims (H, N) of the hands' points; far below 0 without one."""
        points = in_other_palm(points_palm, context)
        initial = network(points, context.other)
        depth = self.claimed(points, initial, context.other_memory)
        return torch.where(context.accompanied[:, None], depth, _NO_DEPTH)

    def _shared_out(
        self, points: Tensor, depth: Tensor, context: RefinedContext, network: InitialOccupancy
    ) -> Tensor:
        """Leave to the other hand what it claims more deeply."""
        disputable = self._disputable(points, depth.detach(), context)
        chosen = _chosen(disputable)
        if chosen is None:
            return depth
        disputed = in_other_palm(points.gather(1, _for_places(chosen)), context)
        own, other = depth.gather(1, chosen), network(disputed, context.other)
        # A claim that could not reach what is left of the own one is not worked out.
        reaching = other.detach() + self.preset.largest > -own.detach() - 2 * self.preset.gap
        other = self._corrected(disputed, other, context.other_memory, reaching)
        # Some are only chosen because the other hand has more of them.
        left = torch.where(disputable.gather(1, chosen), self.shared(own, other), own)
        return depth.scatter(1, chosen, left)

    def _disputable(self, points: Tensor, depth: Tensor, context: RefinedContext) -> Tensor:
        """(H, N) bool, True for points that a hand holds, or almost, and the other one may."""
        theirs = context.memory.positions[:, ANCHOR_COUNT:]
        low, high = theirs.amin(1, keepdim=True), theirs.amax(1, keepdim=True)
        middle, half = (low + high) / 2, (high - low) / 2 + _NEAR_ANCHORS
        within = ((points - middle).abs() < half).all(-1) & (depth > -_ALMOST)
        within &= context.accompanied[:, None]
        chosen = _chosen(within)
        if chosen is None:
            return within
        places = points.gather(1, _for_places(chosen)).float()
        near = torch.cdist(places, theirs).amin(-1) < _NEAR_ANCHORS
        return within & torch.zeros_like(within).scatter(1, chosen, near)

    def shared(self, own: Tensor, other: Tensor) -> Tensor:
        """Depth that is left of a claim beside another one; its sign changes only where both
        claim the point, or leave less than the gap between them."""
        return own.minimum((own - other) / 2 - self.preset.gap)

    def _memory(
        self,
        anchors: Anchors,
        initial: HandContext,
        other: HandContext,
        partner: Tensor,
        accompanied: Tensor,
        network: InitialOccupancy,
    ) -> AnchorMemory:
        hands = initial.hands
        in_camera = hands.camera_from_palm(anchors.positions)
        with torch.no_grad():
            crossing = network(other.hands.palm_from_camera(in_camera), other).float()
        crossing = torch.where(accompanied[:, None], crossing, -_OTHER_REACH)
        seen = network.sample(in_camera, initial)
        facts = torch.stack(
            [
                anchors.reach / _REACH_SCALE,
                anchors.depth / DEPTH_SCALE,
                crossing.clamp(-_OTHER_REACH, _OTHER_REACH) / DEPTH_SCALE,
            ],
            dim=-1,
        )
        told = torch.cat([facts, seen], dim=-1)
        tip_camera = hands.camera_from_palm(anchors.positions + 0.01 * anchors.directions)
        their_positions = hands.palm_from_camera(in_camera[partner])
        their_tips = hands.palm_from_camera(tip_camera[partner])
        positions = torch.cat([anchors.positions, their_positions], dim=1)
        directions = torch.cat([anchors.directions, (their_tips - their_positions) / 0.01], dim=1)
        described = torch.cat(
            [positions / PLACE_SCALE, directions, torch.cat([told, told[partner]], dim=1)], dim=-1
        )
        tokens = self.embed(described) + self.identity
        listened = F.pad(
            accompanied[:, None].expand(-1, ANCHOR_COUNT), (ANCHOR_COUNT, 0), value=True
        )
        for block in self.blocks:
            tokens = block(tokens, listened[:, None, None])
        memory = self.queries.remember(positions, tokens, listened)
        # In training every correction counts: a hand given none would have nothing to learn from.
        return memory if self.training else self._worth_correcting(anchors, memory)

    def _worth_correcting(self, anchors: Anchors, memory: AnchorMemory) -> AnchorMemory:
        """A hand whose surface would hardly move keeps it: that little is the network's own error.

        How far it would move is asked at the hand's own anchors.
        """
        claim = self.claimed(anchors.positions, anchors.depth, memory)
        change = (claim - anchors.depth).square().mean(1, keepdim=True).sqrt()
        low, high = self.preset.worth_correcting
        return memory._replace(share=((change - low) / (high - low)).clamp(0, 1))


def _chosen(wanted: Tensor) -> Tensor | None:
    """(H, M) numbers of the points that are wanted (H, N), for every hand as many as the hand
    with most of them; None when no hand wants any."""
    count = int(wanted.sum(1).max())
    if not count:
        return None
    return wanted.to(torch.uint8).topk(count, dim=1, sorted=False).indices


def _for_places(chosen: Tensor) -> Tensor:
    return chosen[..., None].expand(-1, -1, 3)


def in_other_palm(points_palm: Tensor, context: RefinedContext) -> Tensor:
    """(H, N, 3) points from each hand's palm frame to its partner's."""
    in_camera = context.initial.hands.camera_from_palm(points_palm)
    return context.other.hands.palm_from_camera(in_camera)
