"""The published anchor encoder, word for word: the measure of the fast one, whose weights it uses.

Both small networks of the attention are evaluated for every pair of points and neighbours.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.networks.paper.point_transformer import (
    AnchorCode,
    AnchorEncoder,
    PointTransformer,
    SetAbstraction,
    furthest_points,
)


def encode_anchors(network: AnchorEncoder, positions: Tensor, features: Tensor) -> AnchorCode:
    """(H, N, 3) metres and (H, N, C) features to anchors, as ``AnchorEncoder`` does."""
    level: Any  # of module lists, whose types are unknown
    block: Any
    features = transformer(network.begin, positions, network.embed(features))
    for level in network.levels:
        positions, features = abstraction(level.down, positions, features)
        features = transformer(level.attend, positions, level.mix(features))
        features = level.mix_after(level.widen(features))
    for block in network.blocks:
        features = block.mix(transformer(block.attend, positions, features))
    return AnchorCode(network.code(features.amax(1)), positions, features)


def transformer(layer: PointTransformer, positions: Tensor, features: Tensor) -> Tensor:
    """Every point and its neighbours."""
    near = neighbours(positions, positions, layer.neighbours or positions.shape[1])
    offset = layer.offset(positions[:, :, None] - pick(positions, near))
    keys, values = pick(layer.key(features), near), pick(layer.value(features), near)
    return layer.norm(
        attention(layer.query(features), keys, values, offset, layer.score) + features
    )


def abstraction(
    layer: SetAbstraction, positions: Tensor, features: Tensor
) -> tuple[Tensor, Tensor]:
    """Fewer points that attend to their neighbours twice."""
    chosen = furthest_points(positions, layer.count, layer.excluded)[..., None]
    centres, own = pick(positions, chosen)[:, :, 0], pick(features, chosen)[:, :, 0]
    near = neighbours(centres, positions, layer.neighbours)
    offset = layer.offset(pick(positions, near) - centres[:, :, None])
    keys, values = pick(layer.first_key(features), near), pick(layer.first_value(features), near)
    first = attention(layer.first_query(own), keys, values, offset, layer.first_score)
    first = first + layer.mix_second(F.relu(layer.mix_norm(layer.mix_first(first))))
    first = layer.first_norm(first)
    keys, values = pick(layer.second_key(features), near), pick(layer.second_value(features), near)
    second = attention(layer.second_query(first), keys, values, offset, layer.second_score)
    return centres, layer.norm(layer.second_norm(first + second) + own)


def attention(
    query: Tensor, keys: Tensor, values: Tensor, offset: Tensor, score: torch.nn.Module
) -> Tensor:
    """(H, N, C) queries, (H, N, K, C) keys, values and offsets: (H, N, C)."""
    weights = score(query[:, :, None] - keys + offset).softmax(2)
    return (weights * (values + offset)).sum(2)


def neighbours(centres: Tensor, positions: Tensor, count: int) -> Tensor:
    """(H, M, count) of the nearest, from all squared distances sorted."""
    distance = (centres[:, :, None] - positions[:, None]).square().sum(-1)
    return distance.argsort(-1)[..., :count]


def pick(values: Tensor, index: Tensor) -> Tensor:
    """(H, N, C) values at (H, M, K) indices: (H, M, K, C)."""
    hand = torch.arange(len(values))[:, None, None]
    return values[hand, index]
