"""Attention to neighbours equals its definition, evaluated for every pair."""

import pytest
import torch

from im2hands_ros.evaluation.reference.anchors import attention, encode_anchors, pick
from im2hands_ros.networks.paper.point_transformer import AnchorEncoder
from im2hands_ros.networks.paper.presets import PaperAnchorPreset
from im2hands_ros.networks.paper.vector_attention import (
    Cloud,
    ScoreLayers,
    TwoLayers,
    Whole,
    nearest,
    vector_attention,
)

WIDTH, POINTS, ANCHORS, NEAR = 24, 300, 40, 7


def made_up(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[1.0, 40.0], ids=["even scores", "scores of hundreds"])
def layers(request):
    torch.manual_seed(1)
    offset, score = TwoLayers(3, WIDTH), ScoreLayers(WIDTH, WIDTH)
    with torch.no_grad():
        score.second.weight.mul_(request.param)
    return offset.requires_grad_(False), score.requires_grad_(False)


@pytest.fixture
def cloud():
    return Cloud(*(made_up(2, ANCHORS, width, seed=width) for width in (3, WIDTH, WIDTH)))


def by_definition(positions, queries, cloud, near, offset, score, whole=None):
    offsets = offset(positions[:, :, None] - pick(cloud.positions, near))
    keys, values = pick(cloud.keys, near), pick(cloud.values, near)
    if whole is not None:
        beside = (len(positions), positions.shape[1], 1, WIDTH)
        offsets = torch.cat([offsets, offsets.new_zeros(beside)], 2)
        keys = torch.cat([keys, whole.key[:, None, None].expand(beside)], 2)
        values = torch.cat([values, whole.value[:, None, None].expand(beside)], 2)
    return attention(queries, keys, values, offsets, score)


def test_a_query_per_point_equals_the_definition(layers, cloud):
    positions, queries = made_up(2, POINTS, 3), made_up(2, POINTS, WIDTH, seed=5)
    given = (positions, queries, cloud, nearest(positions, cloud.positions, NEAR), *layers)
    assert torch.allclose(vector_attention(*given), by_definition(*given), atol=2e-5)


def test_one_query_for_all_and_a_neighbour_of_all_equal_the_definition(layers, cloud):
    positions, queries = made_up(2, POINTS, 3), made_up(2, 1, WIDTH, seed=5)
    whole = Whole(made_up(2, WIDTH, seed=6), made_up(2, WIDTH, seed=7))
    near = nearest(positions, cloud.positions, NEAR)
    given = (positions, queries, cloud, near, *layers, whole)
    assert torch.allclose(vector_attention(*given), by_definition(*given), atol=2e-5)


def test_one_point_gets_what_it_gets_among_others(layers, cloud):
    positions, queries = made_up(2, POINTS, 3), made_up(2, POINTS, WIDTH, seed=5)
    near = nearest(positions, cloud.positions, NEAR)
    together = vector_attention(positions, queries, cloud, near, *layers)
    last = (part[:, -1:] for part in (positions, queries))
    alone = vector_attention(*last, cloud, near[:, -1:], *layers)
    assert torch.allclose(alone, together[:, -1:], atol=1e-6)


def test_reduced_precision_is_only_a_little_off(layers, cloud):
    positions, queries = made_up(2, POINTS, 3), made_up(2, POINTS, WIDTH, seed=5)
    given = (positions, queries, cloud, nearest(positions, cloud.positions, NEAR), *layers)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = vector_attention(*given)
    assert reduced.dtype == torch.bfloat16
    assert (reduced.float() - vector_attention(*given)).abs().mean() < 0.05


def test_anchors_equal_those_of_the_reference_implementation():
    torch.manual_seed(2)
    network = AnchorEncoder(PaperAnchorPreset(), 34).eval().requires_grad_(False)
    positions, features = 0.1 * made_up(2, 512, 3), made_up(2, 512, 34)
    fast, slow = network(positions, features), encode_anchors(network, positions, features)
    for found, expected in zip(fast, slow, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)
