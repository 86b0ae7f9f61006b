"""Reference implementation of the published networks: slow, to test the fast one against.

Everything is done anew in every round of the search (features, tokens, anchors, contexts), every
query is a sequence of its own with all image tokens, every bone has its own small products with
matrices repeated for every point. Weights come from our networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from im2hands_ros.canonical import BOX_SCALE, CanonicalHands
from im2hands_ros.evaluation.reference.anchors import encode_anchors
from im2hands_ros.evaluation.reference.mise import DenseGrid, search_rounds
from im2hands_ros.networks.paper.initial_occupancy import HandBranch, PaperInitialOccupancy
from im2hands_ros.networks.paper.point_transformer import AnchorCode
from im2hands_ros.networks.paper.query_decoder import QueryDecoder
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy, sample_pixels

BOX_SIDE = 0.44  # metres; the published box is centred at the palm frame's origin
AXES = (1.0, -1.0, -1.0)
# Queries of a round are evaluated all at once, in gigabytes of memory.
MOST_POINTS = 1_000_000


def camera_points(hands: CanonicalHands, hand: int, points_palm: Tensor) -> Tensor:
    """(N, 3) palm points of one hand in the camera frame."""
    one = CanonicalHands(*(value[hand : hand + 1] for value in hands))
    return one.camera_from_palm(points_palm[None])[0]


def initial(
    network: PaperInitialOccupancy, image: Tensor, hands: CanonicalHands, points_palm: list[Tensor]
) -> list[Tensor]:
    """(N,) occupancies of each of a left and a right hand in a normalised (1, 3, 256, 256)."""
    pixels = network.project(network.encoder.from_normalised(image).finest)
    matrices = published_bone_matrices(hands)
    branch: Any
    results = []
    for hand, branch in enumerate(network.hands.values()):
        parts = []
        for points in points_palm[hand].split(MOST_POINTS):
            seen = camera_points(hands, hand, points)
            seen = torch.cat([seen[:, :2], seen[:, 2:] - hands.wrist[hand, 2]], dim=-1)
            attended = attend(branch, pixels, seen)
            parts.append(decode(branch, matrices[hand], hands.bone_lengths[hand], points, attended))
        results.append(torch.cat(parts))
    return results


def attend(branch: HandBranch, pixels: Tensor, position: Tensor) -> Tensor:
    """(N, 19) of (N, 3): every query in a sequence with all tokens, of which one is kept."""
    attention = branch.attention
    query = torch.cat([position, branch.embed_second(F.relu(branch.embed_first(position)))], -1)
    tokens = F.relu(attention.project(pixels)).flatten(2).transpose(1, 2) + attention.positions
    tokens = attention.to_query_width(attention.among_tokens(tokens))
    sequences = torch.cat([query[:, None], tokens.expand(len(query), -1, -1)], dim=1)
    return attention.from_queries(sequences)[:, 0]


def published_bone_matrices(hands: CanonicalHands) -> Tensor:
    """(B, 16, 4, 4) matrices in the published scaling, S(1/0.4) T S(0.4) S(0.4)."""
    matrices = torch.zeros(*hands.bone_from_palm.shape[:2], 4, 4).to(hands.bone_from_palm)
    matrices[..., :3, :3] = hands.bone_from_palm[..., :3] * BOX_SCALE
    matrices[..., :3, 3] = hands.bone_from_palm[..., 3] / BOX_SCALE
    matrices[..., 3, 3] = 1
    return matrices


def decode(
    branch: HandBranch,
    matrices: Tensor,
    lengths: Tensor,
    points_palm: Tensor,
    attended: Tensor,
) -> Tensor:
    """(N,) occupancies of (N, 3) points of one hand, bone by bone."""
    decoder, count = branch.decoder, len(points_palm)
    box = torch.cat([points_palm / 0.4 / 0.4, points_palm.new_ones(count, 1)], dim=-1)
    repeated = matrices.expand(count, -1, -1, -1).double()
    local = (repeated @ box.double()[:, None, :, None])[..., :3, 0].float()
    offsets = repeated[..., :3, 3].float().flatten(1)
    lengths = lengths.expand(count, -1)
    shape = decoder.shape_second(F.relu(decoder.shape_first(lengths)))
    logits = []
    for bone in range(16):
        pose = F.linear(offsets, decoder.pose.weight[bone], decoder.pose.bias[bone])
        x = torch.cat([local[:, bone], lengths[:, bone : bone + 1], shape, pose], dim=-1)
        layers = (decoder.first, decoder.second, decoder.third, decoder.fourth)
        for number, layer in enumerate(layers):
            given = torch.cat([x, attended], dim=-1) if number == 2 else x
            y = F.linear(given, layer.weight[bone], layer.bias[bone])
            x = F.leaky_relu(y + x if number else y, 0.1)
        logits.append(F.linear(x, decoder.last.weight[bone], decoder.last.bias[bone]))
    return torch.cat(logits, dim=-1).sigmoid().amax(-1)


def refined(
    network: PaperRefinedOccupancy,
    image: Tensor,
    hands: CanonicalHands,
    intrinsics: Tensor,
    anchors_camera: Tensor,
    points_palm: list[Tensor],
) -> list[Tensor]:
    """(N,) refined occupancies of each hand; anchors (2, A, 3) in the camera frame."""
    features = network.encoder.from_normalised(image)
    finest = F.interpolate(features.finest, size=256, mode="bilinear", align_corners=False)
    pixels = network.project(finest).expand(2, -1, -1, -1)
    codes = [network.heat_code(features.heat[0]), network.dense_code(features.dense[0])]
    whole = torch.cat(codes, dim=1).flatten(1).expand(2, -1)
    sampled = sample_pixels(pixels, anchors_camera, intrinsics)
    side = torch.eye(2).to(sampled)[:, None].expand(-1, sampled.shape[1], -1)
    axes = anchors_camera.new_tensor(AXES)
    positions = anchors_camera * axes
    corners = positions.flatten(0, 1)
    centre = (corners.amin(0) + corners.amax(0)) / 2
    seen = torch.cat([sampled, side], dim=-1)
    anchors = encode_anchors(network.anchors, positions - centre, seen)
    code = network.context_code(torch.cat([anchors.code, anchors.code.flip(0), whole], dim=-1))
    before = initial(network.initial, image, hands, points_palm)
    results = []
    for hand in range(2):
        parts = []
        for points, occupancy in zip(
            points_palm[hand].split(MOST_POINTS), before[hand].split(MOST_POINTS), strict=True
        ):
            seen = camera_points(hands, hand, points)
            sampled = sample_pixels(pixels[hand, None], seen[None], intrinsics[hand, None])[0]
            given = torch.cat([sampled, occupancy[:, None].expand(-1, 32)], dim=-1)
            own = AnchorCode(code[hand], anchors.positions[hand], anchors.features[hand])
            parts.append(decode_query(network.queries, seen * axes - centre, given, own))
        results.append(torch.cat(parts))
    return results


def decode_query(
    decoder: QueryDecoder, positions: Tensor, features: Tensor, anchors: AnchorCode
) -> Tensor:
    """(N,) occupancies of (N, 3) points with (N, 64) features of one hand."""
    attention, count = decoder.attention, len(positions)
    distance = ((positions[:, None] - anchors.positions[None]) ** 2).sum(-1)
    near = distance.argsort()[:, : attention.neighbours]
    whole_key = attention.global_key(anchors.code).expand(count, 1, -1)
    whole_value = attention.global_value(anchors.code).expand(count, 1, -1)
    keys = torch.cat([attention.key(anchors.features)[near], whole_key], dim=1)
    values = torch.cat([attention.value(anchors.features)[near], whole_value], dim=1)
    offset = positions[:, None] - anchors.positions[near]
    # Evaluated once for the scores and once more for the values, as published.
    first, second = (F.pad(attention.offset(offset), (0, 0, 0, 1)) for _ in range(2))
    query = attention.query(anchors.code.expand(count, -1))[:, None]
    weights = attention.score(query - keys + first).softmax(1)
    attended = (weights * (values + second)).sum(1)
    x = decoder.start(torch.cat([attended, features], dim=-1))
    block: Any
    for block in decoder.blocks:
        x = block(x + block.attended(attended))
    return decoder.last(x)[..., 0].sigmoid()


def search_both(
    evaluate: Callable[[list[Tensor]], list[Tensor]],
    threshold: float,
    device: torch.device | None = None,
    **size: int,
) -> list[DenseGrid]:
    """The published search of both hands, advanced together.

    ``evaluate`` maps the palm points of each hand to their occupancies, once per round.
    """
    searches = [search_rounds(threshold, **size) for _ in range(2)]
    points = [next(search) for search in searches]
    grids: list[DenseGrid | None] = [None, None]
    while None in grids:
        palm = [
            torch.from_numpy((of_hand - 0.5) * BOX_SIDE).float().to(device) for of_hand in points
        ]
        for hand, values in enumerate(evaluate(palm)):
            if grids[hand] is None:
                try:
                    points[hand] = searches[hand].send(values.cpu().numpy())
                except StopIteration as found:
                    grids[hand], points[hand] = found.value, np.zeros((0, 3))
    return [grid for grid in grids if grid is not None]
