"""The compact networks: the blocks against their plain definitions."""

import dataclasses

import pytest
import torch

from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.networks.attention import AttentionBlock, QueryImageAttention
from im2hands_ros.networks.compact.articulated_decoder import ArticulatedDecoder
from im2hands_ros.networks.compact.bone_blocks import group_by_bone
from im2hands_ros.networks.compact.bone_geometry import SLOT_COUNT
from im2hands_ros.networks.compact.initial_occupancy import InitialOccupancy
from im2hands_ros.networks.compact.presets import COMPACT, DecoderPreset


def joints(count=2, seed=0):
    """(count, 21, 3) plausible hands half a metre away, all different."""
    generator = torch.Generator().manual_seed(seed)
    hand = torch.zeros(21, 3)
    for finger in range(5):
        for level in range(4):
            hand[1 + 4 * finger + level, 0] = 0.022 * (finger - 2)
            hand[1 + 4 * finger + level, 1] = -0.03 - 0.028 * level - 0.05 * (finger > 0)
            hand[1 + 4 * finger + level, 2] = 0.004 * level * level
    noise = 0.003 * torch.randn(count, 21, 3, generator=generator)
    return hand + noise + torch.tensor([0.02, 0.05, 0.5])


def frames(count=2):
    return canonicalise(joints(count), torch.arange(count) % 2 == 0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    net = InitialOccupancy(COMPACT.initial).eval()
    # Weights that start at zero would hide mistakes in what they multiply.
    for weight in (net.decoder.last, net.decoder.image):
        torch.nn.init.normal_(weight, std=0.3)
    return net


def context_of(network, hands: CanonicalHands, image_count=1):
    generator = torch.Generator().manual_seed(3)
    size = network.image_size
    images = torch.rand(image_count, 3, size, size, generator=generator)
    intrinsics = torch.tensor([[400.0, 0, size / 2], [0, 400.0, size / 2], [0, 0, 1]])
    count = len(hands.wrist)
    index = torch.arange(count) % image_count
    features = network.encoder(images)
    return network.context(features, index, intrinsics.expand(count, 3, 3), hands)


def near_points(hands, count=300, seed=4):
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(21, (count,), generator=generator)
    return hands.joints_palm[:, which] + 0.01 * torch.randn(2, count, 3, generator=generator)


def test_cheap_attention_equals_one_sequence_per_query():
    torch.manual_seed(0)
    block = AttentionBlock(width=24, heads=3)
    tokens, queries = torch.randn(2, 9, 24), torch.randn(2, 5, 24)
    cheap = block.attend(queries, block.precompute(tokens))
    for image in range(2):
        for query in range(5):
            sequence = torch.cat([queries[image, query : query + 1], tokens[image]])[None]
            assert torch.allclose(block(sequence)[0, 0], cheap[image, query], atol=1e-5)


def test_attention_sees_where_in_the_image_a_token_is():
    torch.manual_seed(0)
    attention = QueryImageAttention(8, token_count=4, token_width=16, query_width=16, heads=2)
    image, queries = torch.randn(1, 8, 2, 2), torch.randn(1, 3, 16)
    shuffled = image.flip(-1)
    with torch.no_grad():
        difference = attention(queries, attention.precompute(image)) - attention(
            queries, attention.precompute(shuffled)
        )
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("pairs", [1, 127, 128, 1000, 5000])
def test_every_pair_gets_one_row_in_a_block_of_its_bone(pairs):
    bones = torch.randint(7, (pairs,), generator=torch.Generator().manual_seed(pairs))
    blocks = group_by_bone(bones, 7)
    rows = blocks.row_of_pair
    assert len(rows.unique()) == pairs
    assert (blocks.bone_of_block[rows // blocks.size] == bones).all()
    assert (blocks.pair_of_row[rows] == torch.arange(pairs)).all()


def test_bones_of_many_hands_are_told_apart():
    bones = torch.randint(700, (900,), generator=torch.Generator().manual_seed(0))
    blocks = group_by_bone(bones, 700)
    assert (blocks.bone_of_block[blocks.row_of_pair // blocks.size] == bones).all()


def test_grouping_copes_with_bones_that_have_no_pair():
    blocks = group_by_bone(torch.full((200,), 3), 7)
    assert (blocks.bone_of_block[blocks.row_of_pair // blocks.size] == 3).all()


def test_blocks_give_what_a_loop_over_bones_gives():
    """The decoder against the same mathematics written bone by bone, with all bones."""
    torch.manual_seed(0)
    decoder = ArticulatedDecoder(DecoderPreset(nearest_bones=SLOT_COUNT), image_width=6)
    for weight in decoder.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    hands = frames()
    points, image = near_points(hands, 60), torch.randn(2, 60, 6)
    bones = decoder.bones(hands)
    assert torch.allclose(
        decoder(points, bones, image), by_loop(decoder, points, bones, image), atol=1e-3
    )


def by_loop(decoder, points, bones, image):
    logits, geometry = [], bones.geometry
    for slot in range(SLOT_COUNT):
        rotation, translation = geometry.rotation[:, slot], geometry.translation[:, slot]
        local = points @ rotation.transpose(1, 2) + translation[:, None]
        direction, length = geometry.direction[:, slot, None], geometry.length[:, slot, None]
        along = (local * direction).sum(-1).clamp_min(0).minimum(length)
        distance = (local - along[..., None] * direction).norm(dim=-1)
        scaled = local / 0.02
        waves = (scaled[..., None, :] * decoder.frequencies[:, None]).flatten(-2)
        share = (along / length)[..., None]
        inputs = [scaled, distance[..., None] / 0.02, share, waves.sin(), waves.cos()]
        relu = torch.nn.functional.leaky_relu
        x = torch.cat(inputs, -1) @ decoder.first[slot] + bones.first_bias[:, slot, None]
        x = relu(x, 0.1)
        x = relu(x @ decoder.second[slot] + bones.second_bias[:, slot, None] + x, 0.1)
        x = x @ decoder.third[slot] + decoder.third_bias[slot] + image @ decoder.image[slot] + x
        x = relu(x, 0.1)
        x = relu(x @ decoder.fourth[slot] + decoder.fourth_bias[slot] + x, 0.1)
        capsule = (decoder.radius[slot] * 0.02 - distance) / 0.001
        start, end = geometry.floor[:, slot, None].unbind(-1)
        floor = (start + (end - start) * share[..., 0] - distance) / 0.001
        logits.append((capsule + (x @ decoder.last[slot])[..., 0]).maximum(floor))
    return torch.stack(logits).logsumexp(0)


def test_answers_do_not_depend_on_the_other_queries(network):
    hands = frames()
    context, points = context_of(network, hands), near_points(hands)
    with torch.no_grad():
        together = network(points, context)
        reversed_order = network(points.flip(1), context).flip(1)
        alone = network(points[:, 7:8], context)
    assert (together - reversed_order).abs().max() < 1e-3
    assert (together[:, 7:8] - alone).abs().max() < 1e-3


def test_a_hand_alone_gets_what_it_gets_beside_another(network):
    hands = frames()
    context, points = context_of(network, hands), near_points(hands)
    with torch.no_grad():
        both = network(points, context)
        for hand in range(2):
            one = network(points[hand : hand + 1], context.select(hand))
            assert (one - both[hand : hand + 1]).abs().max() < 1e-3


def test_the_image_matters_where_it_is_used_and_nowhere_else(network):
    hands = frames()
    points = near_points(hands)
    first = context_of(network, hands)
    other = dataclasses.replace(first, pixels=first.pixels + 1.0)
    with torch.no_grad():
        assert (network(points, first) - network(points, other)).abs().max() > 0.1
        without = [network(points, context, use_image=False) for context in (first, other)]
    assert torch.equal(*without)


def test_points_behind_the_camera_or_far_away_give_finite_logits_outside(network):
    hands = frames()
    points = torch.tensor([[0.0, 0.0, -5.0], [3.0, 0.0, 0.0], [100.0, 100.0, 100.0]])
    with torch.no_grad():
        logits = network(points.expand(2, 3, 3), context_of(network, hands))
    assert torch.isfinite(logits).all() and (logits < -50).all()


def test_all_trained_weights_receive_a_gradient(network):
    net = InitialOccupancy(COMPACT.initial)
    for weight in (net.decoder.last, net.decoder.image):
        torch.nn.init.normal_(weight, std=0.3)
    hands = frames()
    context = context_of(net, hands)
    features = net.encoder(torch.rand(1, 3, net.image_size, net.image_size))
    loss = net(near_points(hands), context).square().mean() + net.encoder.masks(features).sum()
    loss = loss + features.joints.square().mean()
    loss = loss + net.decoder.shape_head(net.decoder.hand_code(hands)).square().mean()
    loss.backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    # Two hands do not come near every bone's dead units, but every tensor must take part.
    assert without == []


def test_presets_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        COMPACT.initial.encoder.image_size = 1
