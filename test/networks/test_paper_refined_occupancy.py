"""The published refinement gives the published outputs, and so do its parts."""

import dataclasses

import pytest
import torch
from published_networks import (
    both,
    golden,
    golden_hands,
    golden_points,
    image_index,
    intrinsics,
    load_made_up,
)

from im2hands_ros.canonical import CanonicalHands
from im2hands_ros.evaluation.reference import occupancy
from im2hands_ros.networks.paper.point_transformer import furthest_points
from im2hands_ros.networks.paper.presets import PaperRefinedPreset
from im2hands_ros.networks.paper.refined_occupancy import PaperRefinedOccupancy
from im2hands_ros.networks.paper.vector_attention import nearest

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def network():
    return load_made_up("ref_occ", PaperRefinedOccupancy(PaperRefinedPreset()))


@pytest.fixture(scope="module")
def context(network):
    image, index = golden()["image"], image_index()
    initial = network.initial.context(
        network.initial.encoder.from_normalised(image), index, intrinsics(), golden_hands()
    )
    features = network.encoder.from_normalised(image)
    return network.context(features, index, initial, golden_anchors())


def golden_anchors():
    """(4, 512, 3) anchors in the camera frames, metres."""
    g, index = golden(), image_index()
    root = torch.cat([g["root_left"] * torch.tensor([-1.0, 1, 1]), g["root_right"]]).double()
    anchors = torch.cat([g["anchors_left_mm"], g["anchors_right_mm"]]).double() / 1000
    world = anchors + root[:, None]
    camera = world @ g["cam_R"].double()[index].transpose(1, 2) + g["cam_T"].double()[index, None]
    return camera.float()


def swapped(values):
    """Each hand gets what belongs to the other hand of its image."""
    return values[torch.tensor([2, 3, 0, 1])]


def test_occupancies_equal_the_published_ones(network, context):
    error = network(golden_points(), context).sigmoid() - both("ref")
    assert error.abs().max() <= TOLERANCE


def test_occupancies_at_the_other_hands_points_equal_the_published_ones(network, context):
    other = CanonicalHands(*(swapped(value) for value in context.initial.hands))
    # The published penetration loss encodes the codes twice.
    code = network.code_of_both(context.code, context.image_code)
    initial = dataclasses.replace(context.initial, hands=other)
    there = dataclasses.replace(context, hands=other, initial=initial, code=code)
    logits = network(swapped(golden_points()), there)
    error = logits.sigmoid() - both("ref_pen")
    assert error.abs().max() <= TOLERANCE


def test_the_reference_implementation_gives_the_same_logits(network):
    """Everything anew per call, a sequence per query, a product per bone: equal, only slower."""
    g, pair = golden(), torch.tensor([0, 2])
    hands = CanonicalHands(*(value[pair] for value in golden_hands()))
    image, camera, anchors = g["image"][:1], intrinsics()[pair], golden_anchors()[pair]
    points = golden_points()[pair]
    slow_initial = occupancy.initial(network.initial, image, hands, list(points))
    slow = occupancy.refined(network, image, hands, camera, anchors, list(points))
    network.initial.wrist_is_origin = True
    index = torch.zeros(2, dtype=torch.long)
    features = network.initial.encoder.from_normalised(image)
    initial = network.initial.context(features, index, camera, hands)
    again = network.context(network.encoder.from_normalised(image), index, initial, anchors)
    fast_initial, fast = network.initial(points, initial).sigmoid(), network(points, again)
    network.initial.wrist_is_origin = False
    assert (torch.stack(slow_initial) - fast_initial).abs().max() <= TOLERANCE
    assert (torch.stack(slow) - fast.sigmoid()).abs().max() <= TOLERANCE


def test_a_missing_hand_is_named(network, context):
    features = network.encoder.from_normalised(golden()["image"][:1])
    alone, image = context.initial.select(0), torch.zeros(1, dtype=torch.long)
    with pytest.raises(ValueError, match="needs both hands"):
        network.context(features, image, alone, golden_anchors()[:1])


def test_furthest_points_equal_the_published_ones():
    chosen = furthest_points(golden()["fps_cloud"], 256, excluded_radius_squared=1e-3)
    assert torch.equal(chosen, golden()["fps_idx_256"].long())


def test_points_near_the_origin_are_never_chosen_but_for_the_first():
    line = torch.tensor([[0.0, 0, 0], [0.02, 0, 0], [0.1, 0, 0], [0.5, 0, 0]])[None]
    assert furthest_points(line, 3, 1e-3).tolist() == [[0, 3, 2]]
    assert furthest_points(line, 4, 1e-3)[0, 3] != 1
    assert furthest_points(line[:, :2], 2, 1e-3).tolist() == [[0, 0]]


def test_the_nearest_points_include_the_point_itself():
    cloud = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    near = nearest(cloud, cloud, 5)
    assert (near == torch.arange(40)[:, None]).any(-1).all()
    furthest_kept = (cloud[:, :, None] - cloud[:, None]).norm(dim=-1).gather(2, near).amax(2)
    within = (cloud[:, :, None] - cloud[:, None]).norm(dim=-1) <= furthest_kept[..., None]
    assert (within.sum(-1) == 5).all()
