"""The compact two-hand refinement: anchors on the skin, and two hands that never overlap."""

import dataclasses

import numpy as np
import pytest
import torch
from two_hands import joints, untrained_networks

from im2hands_ros.canonical import canonicalise
from im2hands_ros.networks.compact.image_encoder import ImageFeatures
from im2hands_ros.networks.compact.surface_anchors import ANCHOR_COUNT, trace_anchors


@pytest.fixture(scope="module")
def networks():
    net = untrained_networks("refinement").eval()
    # Weights that start at zero would hide mistakes in what they multiply.
    torch.nn.init.normal_(net.refinement.queries.last.weight, std=1.5)
    return net


def hands_at(distance: float, sides=("left", "right")):
    """Hands whose wrists are this far from where `two_hands` puts them, towards each other."""
    shift = {"left": distance, "right": -distance}
    places = [joints(side) + np.array([shift[side], 0, 0], np.float32) for side in sides]
    mirrored = torch.tensor([side == "left" for side in sides])
    return canonicalise(torch.from_numpy(np.stack(places)).float(), mirrored)


def initial_context(networks, hands):
    generator = torch.Generator().manual_seed(3)
    size = networks.initial.image_size
    features: ImageFeatures = networks.initial.encoder(
        torch.rand(1, 3, size, size, generator=generator)
    )
    count = len(hands.wrist)
    intrinsics = torch.tensor([[300.0, 0, size / 2], [0, 300.0, size / 2], [0, 0, 1]])
    index = torch.zeros(count, dtype=torch.long)
    return networks.initial.context(features, index, intrinsics.expand(count, 3, 3), hands)


def refined_context(networks, hands):
    initial = initial_context(networks, hands)
    count = len(hands.wrist)
    partner = torch.arange(count - 1, -1, -1)
    accompanied = torch.full((count,), count > 1)
    return networks.refinement.context(initial, partner, accompanied)


def points_around(hands, count=4000, spread=0.012):
    generator = torch.Generator().manual_seed(5)
    which = torch.randint(21, (count,), generator=generator)
    noise = spread * torch.randn(len(hands.wrist), count, 3, generator=generator)
    return hands.joints_palm[:, which] + noise


@torch.no_grad()
def test_anchors_lie_on_the_initial_surface(networks):
    context = initial_context(networks, hands_at(0.0))
    anchors = trace_anchors(context.bones.geometry, context.logits)
    assert anchors.positions.shape == (2, ANCHOR_COUNT, 3)
    assert (anchors.depth.abs() < 0.2).float().mean() > 0.97  # millimetres
    assert torch.allclose(anchors.directions.norm(dim=-1), torch.ones(2, ANCHOR_COUNT), atol=1e-4)
    assert (anchors.reach > 0.003).all() and (anchors.reach < 0.04).all()


@torch.no_grad()
def test_points_far_from_the_surface_keep_their_initial_depth(networks):
    hands = hands_at(0.0)
    context, points = refined_context(networks, hands), points_around(hands)
    initial = context.initial.logits(points)
    refined = context.logits(points)
    far = initial.abs() > networks.refinement.preset.band
    assert 0.05 < far.float().mean() < 0.95
    assert torch.equal(refined[far], initial[far])
    assert not torch.allclose(refined[~far], initial[~far], atol=0.1)


@torch.no_grad()
def test_a_surface_that_would_hardly_move_stays_where_it_is(networks):
    hands, last = hands_at(0.0, ("right",)), networks.refinement.queries.last
    assert (refined_context(networks, hands).memory.share == 1).all()
    last.weight /= 100
    try:
        context, points = refined_context(networks, hands), points_around(hands)
        refined = context.logits(points)
        training = refined_context(networks.train(), hands).memory.share
    finally:
        networks.eval()
        last.weight *= 100
    assert torch.equal(refined, context.initial.logits(points))
    assert (training == 1).all()


@torch.no_grad()
def test_no_point_is_in_both_hands(networks):
    hands = hands_at(0.065)
    context, points = refined_context(networks, hands), points_around(hands)
    in_other = context.partner_from_palm(points)
    before = (context.initial.logits(points) > 0) & (context.other.logits(in_other) > 0)
    own = context.logits(points)
    other = context.of_partners().logits(in_other)
    near = context.initial.logits(points).abs() < networks.refinement.preset.band
    assert before[near].sum() > 20
    assert not ((own > 0) & (other > 0))[near].any()
    # What is taken from one hand is left to the other one.
    assert ((own > 0) | (other > 0) | (own.abs() < 1))[before & near].all()


@torch.no_grad()
def test_hands_apart_are_not_cut(networks):
    hands = hands_at(0.0)
    context, points = refined_context(networks, hands), points_around(hands)
    refined = context.logits(points)
    alone = networks.refinement.corrected(points, context.initial.logits(points), context.memory)
    near = context.initial.logits(points).abs() < networks.refinement.preset.band
    assert torch.allclose(refined[near], alone[near], atol=1e-4)


@torch.no_grad()
def test_one_hand_alone_is_refined_without_the_other(networks):
    hands = hands_at(0.0, sides=("right",))
    context, points = refined_context(networks, hands), points_around(hands)
    first = context.logits(points)
    # What stands in the missing hand's place is never attended to.
    memory = context.memory
    spoilt = memory.values.clone()
    spoilt[:, :, ANCHOR_COUNT:] += 100
    context = dataclasses.replace(context, memory=memory._replace(values=spoilt))
    second = context.logits(points)
    assert torch.isfinite(first).all() and torch.allclose(first, second, atol=1e-5)


@torch.no_grad()
def test_one_hand_can_be_evaluated_alone(networks):
    hands = hands_at(0.06)
    context, points = refined_context(networks, hands), points_around(hands)
    together = context.logits(points)
    for hand in range(2):
        alone = context.select(hand).logits(points[hand, None])
        assert torch.allclose(alone[0], together[hand], atol=1e-3)


def test_every_weight_takes_part(networks):
    hands = hands_at(0.06)
    context, points = refined_context(networks, hands), points_around(hands, 500)
    networks.zero_grad()
    context.logits(points).square().mean().backward()
    without = [
        name
        for name, p in networks.refinement.named_parameters()
        if p.grad is None or not p.grad.any()
    ]
    assert without == []
