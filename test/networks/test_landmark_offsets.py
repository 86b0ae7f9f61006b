"""Landmarks that are moved to where the maps around them show them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from im2hands_ros.networks.compact.conditioned_landmarks import Hints
from im2hands_ros.networks.compact.landmark_encoder import ConditionedEncoder
from im2hands_ros.networks.compact.landmark_network import (
    INPUT_SIZE,
    MAP_WIDTHS,
    STRIDES,
    SeenLandmarks,
)
from im2hands_ros.networks.compact.landmark_offsets import (
    INPUTS,
    SHOWN,
    LandmarkOffsets,
    around_landmarks,
)
from im2hands_ros.skeleton import INDEX_MCP, MIDDLE_MCP, WRIST
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence

LOOKED_AT = (4, 30, 60)  # frames of the demo


def seen_with(places: torch.Tensor, maps: tuple[torch.Tensor, ...]) -> SeenLandmarks:
    count = len(places)
    landmarks = torch.cat([places, torch.zeros(count, 21, 1)], -1)
    there = torch.ones(count)
    return SeenLandmarks(landmarks, there, there, torch.zeros(count, 21, 3), maps, there[:, None])


def maps_of_places() -> tuple[torch.Tensor, ...]:
    """Maps whose first two channels are the crop's x and y at the middle of each cell."""
    maps = []
    for width, stride in zip(MAP_WIDTHS, STRIDES, strict=True):
        cells = (torch.arange(INPUT_SIZE // stride) + 0.5) * stride - 0.5
        found = torch.zeros(1, width, len(cells), len(cells))
        found[0, 0], found[0, 1] = cells[None, :], cells[:, None]
        maps.append(found)
    return tuple(maps)


def hints(places: torch.Tensor, both: float = 1.0) -> Hints:
    count = len(places)
    known = torch.ones(count)
    return Hints(torch.stack([places, places + 20], 1), both * known, known)


@pytest.fixture
def places() -> torch.Tensor:
    """(1, 21, 2) well inside the crop."""
    return 70 + 80 * torch.rand((1, 21, 2), generator=torch.Generator().manual_seed(3))


def test_what_is_shown_is_sampled_along_the_bone_and_across_it(places) -> None:
    around = around_landmarks(seen_with(places, maps_of_places()), torch.ones(1, 21), hints(places))
    assert around.features.shape == (1, 21, INPUTS)
    first = around.features[0, :, : 25 * MAP_WIDTHS[0]].unflatten(1, (25, MAP_WIDTHS[0]))[..., :2]
    assert torch.allclose(first[:, 12], places[0], atol=1e-3)
    assert torch.allclose(first[:, 17] - first[:, 12], 4.5 * around.axes[0, :, 0], atol=1e-3)
    assert torch.allclose(first[:, 13] - first[:, 12], 4.5 * around.axes[0, :, 1], atol=1e-3)


def test_a_bone_that_is_seen_from_its_end_has_the_palm_s_direction(places) -> None:
    places[0, INDEX_MCP + 1] = places[0, INDEX_MCP] + 0.5
    axes = around_landmarks(seen_with(places, maps_of_places()), torch.ones(1, 21), hints(places))[
        1
    ]
    palm = places[0, MIDDLE_MCP] - places[0, WRIST]
    assert torch.allclose(axes[0, INDEX_MCP + 1, 0], palm / palm.norm(), atol=1e-5)
    assert torch.allclose(axes @ axes.mT, torch.eye(2).expand(1, 21, 2, 2), atol=1e-5)


def test_a_hand_that_is_alone_has_nothing_of_another_one(places) -> None:
    seen = seen_with(places, maps_of_places())
    alone = hints(places, both=0.0)
    other = alone._replace(joints=alone.joints + torch.tensor([[[[0.0]], [[35.0]]]]))
    features = [around_landmarks(seen, torch.ones(1, 21), it).features for it in (alone, other)]
    assert torch.equal(*features)
    there = around_landmarks(seen, torch.ones(1, 21), hints(places)).features
    assert not torch.allclose(there, features[0])


def test_coinciding_landmarks_have_finite_features() -> None:
    places = torch.full((1, 21, 2), 112.0)
    around = around_landmarks(seen_with(places, maps_of_places()), torch.ones(1, 21), hints(places))
    assert torch.isfinite(around.features).all() and torch.isfinite(around.axes).all()


def test_before_they_are_fitted_landmarks_stay(places) -> None:
    seen = seen_with(places, maps_of_places())
    moved = LandmarkOffsets()(seen, torch.ones(1, 21), hints(places))
    assert torch.equal(moved.landmarks, seen.landmarks)


def test_offsets_are_along_the_bone_and_relief_stays(places) -> None:
    seen, offsets = seen_with(places, maps_of_places()), LandmarkOffsets()
    with torch.no_grad():
        offsets.offset.bias[0] = 0.4
    moved = offsets(seen, torch.ones(1, 21), hints(places)).landmarks
    axes = around_landmarks(seen, torch.ones(1, 21), hints(places)).axes
    assert torch.allclose(moved[..., :2] - places, 2.0 * axes[:, :, 0], atol=1e-4)
    assert torch.equal(moved[..., 2], seen.landmarks[..., 2])


def test_what_the_maps_show_moves_landmarks() -> None:
    conditioned = ConditionedEncoder.load()
    weight = conditioned.offsets.landmark.weight
    assert weight.shape[1] == INPUTS and weight[:, :SHOWN].norm() > 0


def test_moved_landmarks_are_nearer_to_the_truth() -> None:
    conditioned, sequence = ConditionedEncoder.load(), load_demo_sequence()
    rng, errors = np.random.default_rng(0), []
    for number in LOOKED_AT:
        frame = sequence.frames[number]
        true = {s: sequence.camera.project(x) for s, x in frame.true_keypoints.items()}
        rough = {s: x + rng.normal(0, 5, x.shape) for s, x in true.items()}
        for side, hand in conditioned.see(frame.image, rough).items():
            pair = (hand.pixels, hand.closer)
            errors.append([np.linalg.norm(each - true[side], axis=1).mean() for each in pair])
    before, after = np.mean(errors, axis=0)
    assert after < 0.97 * before
