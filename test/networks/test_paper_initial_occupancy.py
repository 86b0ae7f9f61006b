"""The published initial occupancy network gives the published outputs."""

import dataclasses

import pytest
import torch
from published_networks import (
    both,
    golden,
    golden_hands,
    golden_joints,
    golden_points,
    image_index,
    intrinsics,
    load_made_up,
    single_precision,
)

from im2hands_ros.canonical import CanonicalHands, canonicalise
from im2hands_ros.networks.paper.initial_occupancy import PaperInitialOccupancy
from im2hands_ros.networks.paper.presets import PaperInitialPreset

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def network():
    return load_made_up("init_occ", PaperInitialOccupancy(PaperInitialPreset()))


@pytest.fixture(scope="module")
def features(network):
    return network.encoder.from_normalised(golden()["image"])


@pytest.fixture(scope="module")
def context(network, features):
    return network.context(features, image_index(), intrinsics(), golden_hands())


def swapped(values):
    """Each hand gets what belongs to the other hand of its image."""
    return values[torch.tensor([2, 3, 0, 1])]


def test_image_features_equal_the_published_ones(network, features):
    deepest_first = network.encoder.backbone(golden()["image"])[::-1]
    maps = [*deepest_first, *features.heat, *features.dense]
    probed = [x[0, :4, x.shape[2] // 2, x.shape[3] // 3] for x in maps]
    error = torch.stack(probed) - golden()["enc_probe"]
    assert error.abs().max() <= TOLERANCE * max(1.0, golden()["enc_probe"].abs().max())


def test_occupancies_equal_the_published_ones(network, context):
    error = network(golden_points(), context).sigmoid() - both("init")
    assert error.abs().max() <= TOLERANCE


def test_joints_lead_to_the_published_occupancies(network, features):
    """Our own bone matrices instead of the published ones, which are rounded elsewhere."""
    hands = single_precision(canonicalise(*golden_joints()))
    context = network.context(features, image_index(), intrinsics(), hands)
    assert (network(golden_points(), context).sigmoid() - both("init")).abs().max() <= 1e-4


def test_occupancies_at_the_other_hands_points_equal_the_published_ones(network, context):
    other = CanonicalHands(*(swapped(value) for value in context.hands))
    # The decoder takes the points as its own hand's; the image features are those of the points.
    logits = network(swapped(golden_points()), dataclasses.replace(context, hands=other))
    error = logits.sigmoid() - both("init_pen")
    assert error.abs().max() <= TOLERANCE


def test_a_hand_alone_gets_what_it_gets_beside_others(network, context):
    points = golden_points()
    together = network(points, context)
    for hand in range(4):
        alone = network(points[hand : hand + 1], context.select(hand))
        assert (alone - together[hand]).abs().max() < 1e-4


def test_the_published_depth_origin_depends_on_the_order_of_queries_and_the_wrist_does_not(
    network, context
):
    points = golden_points()
    differences = {}
    for name in ("wrist", "first_query"):
        network.wrist_is_origin = name == "wrist"
        forwards, backwards = network(points, context), network(points.flip(1), context).flip(1)
        differences[name] = (forwards - backwards).abs().max()
    assert differences["first_query"] > 1e-3
    assert differences["wrist"] < 1e-4
