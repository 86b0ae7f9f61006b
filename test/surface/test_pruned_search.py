"""The pruned search makes the same surfaces as the full one, from fewer evaluations."""

import numpy as np
import pytest
import torch
from test_search import HAND, HAND_BONES, SHAPES, field_of, sphere

from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.pruned_search import PrunedSearch
from im2hands_ros.surface.search import SurfaceSearch


def both(field, resolution, threshold=0.0, hands=2, **hints):
    full = SurfaceSearch(resolution, hands)(field, threshold, **hints)
    return full, PrunedSearch(resolution, hands)(field, threshold, **hints)


def rough(points):
    """A ball with bumps as large as three cells, and a logit's scale."""
    waves = torch.sin(70 * points).prod(-1)
    return 30 * (sphere(0.3)(points) + 0.01 * waves)


@pytest.mark.parametrize("name", [*SHAPES, "rough"])
@pytest.mark.parametrize("resolution", [64, 96])
def test_makes_the_same_triangles(name, resolution):
    field = field_of((SHAPES | {"rough": rough})[name], sphere(0.2))
    full, pruned = both(field, resolution)
    for hand in range(2):
        assert torch.equal(full.cells[hand], pruned.cells[hand])
        expected, found = extract(full, hand), extract(pruned, hand)
        assert np.array_equal(expected.triangles, found.triangles)
        assert np.abs(expected.vertices - found.vertices).max() < 1e-5


def test_saves_a_third_of_all_evaluations():
    hints = {"segments": torch.stack((HAND_BONES,) * 2), "reach": 0.1}
    full, pruned = both(field_of(HAND, HAND), 128, **hints)
    assert pruned.evaluated < 0.67 * full.evaluated
    assert torch.equal(full.cells[0], pruned.cells[0])


def test_what_interpolation_steps_over_is_found_once_a_crossed_edge_leads_there():
    """A ball with a thin fin: interpolation from cells of twice the side misses its rim."""

    def fin(points):
        offset = points - torch.tensor([0.5, 0.5, 0.5])
        plate = 0.012 - offset[..., 0].abs()
        disc = 0.37 - offset.norm(dim=-1)
        return torch.maximum(0.2 - offset.norm(dim=-1), torch.minimum(plate, disc))

    full, pruned = both(field_of(fin), 64, hands=1)
    assert torch.equal(full.cells[0], pruned.cells[0])


def test_a_search_object_clears_its_interpolated_values():
    keep = PrunedSearch(64, 1)
    fields = [field_of(HAND), field_of(sphere(0.25)), field_of(HAND)]
    first, _, again = (
        (keep(field, threshold).cells[0], keep.lattice.size)
        for field, threshold in zip(fields, (0.0, 0.1, 0.0), strict=True)
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[0], SurfaceSearch(64, 1)(fields[0], 0.0).cells[0])


def test_evaluates_no_point_twice():
    batches = []

    def field(points, valid):
        batches.append((points * 64).round().long()[valid] @ torch.tensor([65 * 65, 65, 1]))
        return HAND(points)

    result = PrunedSearch(64, 1)(field, 0.0)
    every = torch.cat(batches)
    assert len(every.unique()) == len(every) == result.evaluated


def test_evaluates_in_few_batches_and_never_on_the_border_of_the_box():
    batches = []

    def field(points, valid):
        batches.append(points[valid])
        return HAND(points)

    result = PrunedSearch(128, 1)(field, 0.0, segments=HAND_BONES[None], reach=0.1)
    every = torch.cat(batches)
    assert (every > 0).all() and (every < 1).all()
    assert len(result.evaluations) <= 14  # two to four for each of four rounds


def test_rounds_of_few_cells_are_evaluated_in_full():
    """At 32 cells a side a finger is about as thick as a cell: nothing is interpolated."""
    full, pruned = both(field_of(HAND, HAND), 32)
    assert full.evaluations == pruned.evaluations
