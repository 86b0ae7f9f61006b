"""Weights and contexts of the compact networks as the blocks of floats that `src/network.h` reads.

A block's parts follow each other in the order of the members there. What layers multiply one after
the other without anything between is multiplied here: norms' gains, scales and identities.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.kernels.field import Block
from im2hands_ros.networks.attention import TokenMemory
from im2hands_ros.networks.compact.anchor_attention import QueryAnchorDecoder
from im2hands_ros.networks.compact.articulated_decoder import (
    LENGTH_UNIT,
    ArticulatedDecoder,
)
from im2hands_ros.networks.compact.initial_occupancy import (
    POSITION_UNIT,
    ImageMemory,
    InitialContext,
    InitialOccupancy,
)
from im2hands_ros.networks.compact.refined_occupancy import (
    MARGIN,
    NEAR_ANCHORS,
    RefinedContext,
    RefinedOccupancy,
)
from im2hands_ros.networks.native_attention import attention_weights, layer_weights

# Of the first query layer's inputs: image features, then relative position and crop position.
_PIXELS, _PLACE, _SIDE = slice(0, 32), slice(32, 37), 37


@torch.no_grad()
def weights(initial: InitialOccupancy, refinement: RefinedOccupancy | None) -> Block:
    """The networks' weights as one block."""
    parts = [*_query(initial), *_bones(initial.decoder), torch.tensor([float(initial.image_size)])]
    if refinement is not None:
        preset = refinement.preset
        limits = [preset.band, preset.largest, preset.gap, MARGIN, NEAR_ANCHORS]
        parts += [*_corrections(refinement.queries), torch.tensor(limits)]
    return _block(torch.cat([part.float().cpu().flatten() for part in parts]))


def hands(context: InitialContext) -> Block:
    """(H, count): each hand as the initial occupancy sees it."""
    return _block(_rows([_side(context), *_frames(context)]))


@torch.no_grad()
def image(initial: InitialOccupancy, memory: ImageMemory) -> Block:
    """(count,): what hands in a single crop read of it."""
    return _block(_rows([*_tokens(memory.tokens), _query_pixels(initial, memory.pixels)])[0])


def hand_rows(context: InitialContext) -> Tensor:
    """(H, count): each hand and its image, on the context's device."""
    pixels = _query_pixels(context.network, context.pixels)
    return _rows([_side(context), *_tokens(context.memory), *_frames(context), pixels])


def _side(context: InitialContext) -> Tensor:
    query = context.network.query[0]
    assert isinstance(query, nn.Linear)
    side = torch.where(context.hands.mirrored, 1.0, -1.0)[:, None]
    return query.bias + side * query.weight[:, _SIDE]


def _tokens(memory: TokenMemory) -> list[Tensor]:
    return [memory.keys.transpose(2, 3), memory.values]


def _query_pixels(initial: InitialOccupancy, pixels: Tensor) -> Tensor:
    """(B, h, w, width) image features (B, C, h, w) after the query layer."""
    query = initial.query[0]
    assert isinstance(query, nn.Linear)
    return F.linear(pixels.float().permute(0, 2, 3, 1), query.weight[:, _PIXELS])


def _frames(context: InitialContext) -> list[Tensor]:
    frames, geometry = context.hands, context.bones.geometry
    axis = torch.cat([geometry.frame[:, :, 3], geometry.offset[:, :, 3:]], -1)
    local = torch.cat([geometry.frame[:, :, :3].flatten(2), geometry.offset[:, :, :3]], -1)
    return [
        context.intrinsics.double() @ _camera_from_palm(frames),
        frames.palm_from_hand.transpose(1, 2) / POSITION_UNIT,
        local,
        axis,
        geometry.start,
        geometry.direction,
        geometry.length,
        geometry.floor,
        context.bones.first_bias,
        context.bones.second_bias,
    ]


def anchors(context: RefinedContext) -> Block:
    """(H, count): each hand's anchors and the other hand's, as the refined occupancy sees them."""
    return _block(anchor_rows(context))


def anchor_rows(context: RefinedContext) -> Tensor:
    """The same on the context's device."""
    memory, own, other = context.memory, context.hands, context.other.hands
    turned = other.palm_from_hand.double() @ _mirroring(other)
    to_other = turned @ _camera_from_palm(own)
    to_other[..., 3] -= (other.palm_from_hand.double() @ other.wrist.double()[..., None])[..., 0]
    count = memory.positions.shape[1] // 2
    their = memory.positions[:, count:]
    return _rows([memory.keys.transpose(2, 3), memory.values, their, to_other, memory.share])


def _query(initial: InitialOccupancy) -> list[Tensor]:
    first, _, second = initial.query
    assert isinstance(first, nn.Linear)
    return [
        first.weight[:, _PLACE].T,
        *layer_weights(second),
        *attention_weights(initial.attention.from_queries),
    ]


def _bones(decoder: ArticulatedDecoder) -> list[Tensor]:
    identity = torch.eye(decoder.second.shape[-1], device=decoder.second.device)
    return [
        decoder.first,
        decoder.second + identity,
        torch.cat([decoder.third + identity, decoder.image], 1),
        decoder.third_bias,
        decoder.fourth + identity,
        decoder.fourth_bias,
        decoder.last,
        decoder.radius * LENGTH_UNIT,
        decoder.frequencies,
    ]


def _corrections(queries: QueryAnchorDecoder) -> list[Tensor]:
    layers = (queries.query[0], queries.query[2], queries.first, queries.second, queries.last)
    return [part for layer in layers for part in layer_weights(layer)]


def _mirroring(hands: CanonicalHands) -> Tensor:
    """(H, 3, 3) float64 that negates x of mirrored hands."""
    sign = torch.ones(len(hands.wrist), 3, dtype=torch.float64, device=hands.wrist.device)
    sign[:, 0] = torch.where(hands.mirrored, -1.0, 1.0)
    return torch.diag_embed(sign)


def _camera_from_palm(hands: CanonicalHands) -> Tensor:
    """(H, 3, 4) float64: rotation, mirrored where the hand is, and translation."""
    pose = torch.cat([hands.palm_from_hand.transpose(1, 2), hands.wrist[..., None]], -1)
    return _mirroring(hands) @ pose.double()


def _rows(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.float().flatten(1) for part in parts], 1)


def _block(values: Tensor) -> Block:
    return values.contiguous().numpy()
