"""Attention to nearby points with a weight per channel (AIR-Nets, 3DV 2021, section 3.1).

Point i attends to its neighbours j with weights softmax_j score(query_i - key_j + o_ij); its output
is the weighted sum of value_j + o_ij, where o_ij = offset(position_i - position_j). ``score`` and
``offset`` are small networks, evaluated for every pair: nearly all work of the networks that use
this. Three things make it cheap without changing the result by more than rounding:

* the last layer of ``offset`` and the first of ``score`` follow each other: they are one product;
* what depends on one neighbour alone goes through that layer once per neighbour, not per pair;
* pairs are worked on in portions that stay in a CPU core's cache, in place.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Pairs worked on at once: what a CPU core's cache holds, and what fills a GPU.
_PAIRS = {"cpu": 1152}
_PAIRS_ELSEWHERE = 1 << 17


class TwoLayers(nn.Sequential):
    """Linear, ReLU, linear."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., width)."""
        return self.second(F.relu(self.first(x)))


class ScoreLayers(TwoLayers):
    """The network of scores.

    Attributes:
        native: what computes the attention in place of torch, if anything.
    """

    native: HandAttention | None = None

    def nearest(self, centres: Tensor, positions: Tensor, count: int) -> Tensor:
        """(H, M, count) indices of the points (H, N, 3) nearest to (H, M, 3) centres."""
        return (self.native.nearest if self.native else nearest)(centres, positions, count)


class HandAttention(Protocol):
    """Computes the attention without torch."""

    def __call__(self, given: Attending) -> Tensor:
        """(N, C) of one hand's points."""

    def nearest(self, centres: Tensor, positions: Tensor, count: int) -> Tensor:
        """(H, M, count) indices of the points (H, N, 3) nearest to (H, M, 3) centres."""


class Whole(NamedTuple):
    """One more neighbour that every point has, without a position: key, or its score, and value
    (H, C)."""

    key: Tensor
    value: Tensor


class Cloud(NamedTuple):
    """What points attend to: positions (H, A, 3), keys (H, A, C), values (H, A, C)."""

    positions: Tensor
    keys: Tensor
    values: Tensor


@torch.no_grad()
def vector_attention(
    positions: Tensor,
    queries: Tensor,
    cloud: Cloud,
    near: Tensor,
    offset: TwoLayers,
    score: ScoreLayers,
    whole: Whole | None = None,
) -> Tensor:
    """Attention of points to their neighbours; for inference only.

    Args:
        positions: (H, N, 3) of the points, metres.
        queries: (H, N, C), or (H, 1, C) when all points of a hand have the same query.
        cloud: what is attended to, A points per hand.
        near: (H, N, K) which of them are each point's neighbours.
        offset: network of the difference of positions. score: network of queries and keys.
        whole: a neighbour of all points, whose difference of positions counts as none.

    Returns:
        (H, N, C) in the cloud's dtype, or the reduced one under autocast.
    """
    weights = Weights.of(offset, score)
    native = None if weights.joint.dtype != torch.float32 else score.native
    results = []
    for hand in range(len(positions)):
        one = Cloud(*(value[hand] for value in cloud))
        beside = None if whole is None else Whole(whole.key[hand], whole.value[hand])
        given = attending(positions[hand], queries[hand], one, near[hand], weights, beside)
        results.append(native(given) if native else _of_hand(given, weights))
    return torch.stack(results)


def nearest(centres: Tensor, positions: Tensor, count: int) -> Tensor:
    """(H, M, count) indices of the points (H, N, 3) nearest to (H, M, 3) centres."""
    # Not by matrix products: their rounding would change which of two near points is nearer.
    distance = torch.cdist(centres, positions, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.topk(count, dim=-1, largest=False, sorted=False).indices


class Weights(NamedTuple):
    """Both networks' layers, transposed; ``joint`` is offset's last and score's first layer."""

    offset_first: Tensor
    offset_first_bias: Tensor
    offset_second: Tensor
    offset_second_bias: Tensor
    joint: Tensor
    score_first: Tensor
    score_first_bias: Tensor
    score_second: Tensor

    @classmethod
    def of(cls, offset: TwoLayers, score: TwoLayers) -> Weights:
        with torch.autocast(offset.first.weight.device.type, enabled=False):
            joint = (score.first.weight @ offset.second.weight).T
        kind = multiplied_in(joint)
        layers = (
            offset.first.weight.T,
            offset.first.bias,
            offset.second.weight.T,
            offset.second.bias,
            joint,
            score.first.weight.T,
            score.first.bias,
            # The last bias is the same for all neighbours: softmax removes it.
            score.second.weight.T,
        )
        return cls(*(layer.to(kind).contiguous() for layer in layers))


class Attending(NamedTuple):
    """A hand's points and what they attend to, after the layers that depend on one of them alone.

    Attributes:
        positions: (N, 3) of the points. near: (N, K) numbers of their neighbours.
        cloud: positions (A, 3), keys (A, C), values (A, C).
        queries: (N, C); None when all points have one query, which is in the keys.
        whole: score and value (C) of one more neighbour of all points, or None.
    """

    positions: Tensor
    near: Tensor
    cloud: Cloud
    queries: Tensor | None
    whole: Whole | None


def attending(
    positions: Tensor,
    queries: Tensor,
    cloud: Cloud,
    near: Tensor,
    weights: Weights,
    whole: Whole | None,
) -> Attending:
    """What depends on one point, or one neighbour, alone; arguments as above, of one hand."""
    kind, bias = weights.joint.dtype, weights.offset_second_bias
    query = torch.addmm(weights.score_first_bias, queries.to(kind), weights.score_first)
    keys = (bias - cloud.keys.to(kind)) @ weights.score_first
    if whole is not None:
        hidden = F.relu(query - whole.key.to(kind) @ weights.score_first)
        whole = Whole((hidden @ weights.score_second)[0], whole.value.to(kind))
    several = len(query) > 1
    cloud = Cloud(cloud.positions, keys if several else keys + query, cloud.values.to(kind) + bias)
    return Attending(positions, near, cloud, query if several else None, whole)


def _of_hand(given: Attending, weights: Weights) -> Tensor:
    positions, near, (places, keys, values), queries, whole = given
    width = keys.shape[-1]
    alone = keys.new_zeros(width) if whole is None else whole.key
    count = near.shape[1]
    portion = max(1, _PAIRS.get(near.device.type, _PAIRS_ELSEWHERE) // count)
    work = keys.new_empty(3, portion * count, width)
    result = keys.new_empty(len(positions), width)
    for start in range(0, len(positions), portion):
        part = slice(start, start + portion)
        index = near[part].T
        difference = (positions[part] - places[index]).to(keys.dtype).flatten(0, 1)
        hidden, scores, offset_values = work[:, : len(difference)]
        torch.addmm(weights.offset_first_bias, difference, weights.offset_first, out=hidden)
        hidden.relu_()
        torch.index_select(keys, 0, index.flatten(), out=scores).addmm_(hidden, weights.joint)
        torch.index_select(values, 0, index.flatten(), out=offset_values)
        offset_values.addmm_(hidden, weights.offset_second)
        if queries is not None:
            scores.unflatten(0, index.shape).add_(queries[part])
        # Relative to the score of the neighbour of all: that one's is then 0.
        torch.addmm(-alone, scores.relu_(), weights.score_second, out=hidden)
        shape = (*index.shape, width)
        _weigh(hidden.view(shape), offset_values.view(shape), whole, result[part])
    return result


def _weigh(scores: Tensor, values: Tensor, whole: Whole | None, out: Tensor) -> None:
    """Softmax (K, N, C) scores over K and sum up (K, N, C) values into (N, C); spoils both."""
    highest = scores.amax(0)
    if whole is not None:
        highest.clamp_min_(0)
    shares = scores.sub_(highest).exp_()
    total, summed = shares.sum(0), values.mul_(shares).sum(0)
    if whole is not None:
        of_whole = highest.neg_().exp_()
        total += of_whole
        summed += of_whole * whole.value
    torch.div(summed, total, out=out)


def multiplied_in(like: Tensor) -> torch.dtype:
    """The dtype to multiply in here: autocast leaves products with given outputs alone."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype
