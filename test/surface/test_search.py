"""The coarse-to-fine search finds what the dense evaluation finds, for a fraction of its points."""

import numpy as np
import pytest
import torch
from torch import Tensor

from im2hands_ros.surface.lattice import Lattice, coarsest_step, distance_to_segments
from im2hands_ros.surface.search import SurfaceSearch, search

CENTRE = torch.tensor([0.47, 0.52, 0.5])


def search_densely(field, resolution, threshold, hands=2):
    return SurfaceSearch(resolution, hands).densely(field, threshold)


def sphere(radius: float, centre: Tensor = CENTRE):
    return lambda points: radius - (points - centre).norm(dim=-1)


def torus(points: Tensor) -> Tensor:
    offset = points - CENTRE
    ring = offset[..., :2].norm(dim=-1) - 0.25
    return 0.07 - torch.stack((ring, offset[..., 2]), -1).norm(dim=-1)


def distance(points: Tensor, segment: Tensor) -> Tensor:
    along = segment[1] - segment[0]
    share = ((points - segment[0]) @ along / (along @ along).clamp_min(1e-12)).clamp(0, 1)
    return (points - segment[0] - share[..., None] * along).norm(dim=-1)


def capsules(segments: Tensor, radii: Tensor):
    return lambda points: torch.stack(
        [
            radius - distance(points, segment)
            for segment, radius in zip(segments, radii, strict=True)
        ]
    ).amax(0)


def toy_hand() -> tuple[Tensor, Tensor]:
    """Bones (20, 2, 3) with radii; the fingers are thinner than the first round's cells."""
    wrist, bones, radii = torch.tensor([0.5, 0.2, 0.5]), [], []
    for angle in (-0.8, -0.35, -0.1, 0.15, 0.4):
        along = torch.tensor([np.sin(angle), np.cos(angle), 0.1 * angle], dtype=torch.float32)
        stops = [wrist + share * along for share in (0.0, 0.27, 0.42, 0.53, 0.61)]
        bones += zip(stops[:-1], stops[1:], strict=True)
        radii += [0.06, 0.029, 0.026, 0.024]
    return torch.stack([torch.stack(bone) for bone in bones]), torch.tensor(radii)


def field_of(*shapes):
    """One shape per hand; counts nothing, ignores padding."""
    return lambda points, valid: torch.stack(
        [shape(points[hand]) for hand, shape in enumerate(shapes)]
    )


HAND_BONES, HAND_RADII = toy_hand()
HAND = capsules(HAND_BONES, HAND_RADII)
SHAPES = {"sphere": sphere(0.3), "torus": torus, "hand": HAND}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("resolution", [32, 64, 48])
def test_finds_the_same_cells_and_values_as_the_dense_evaluation(
    name: str, resolution: int
) -> None:
    field = field_of(SHAPES[name], sphere(0.2))
    sparse, dense = search(field, resolution, 0.0), search_densely(field, resolution, 0.0)
    for hand in range(2):
        assert torch.equal(sparse.cells[hand], dense.cells[hand])
        corners = sparse.cells[hand][:, None] + SurfaceSearch(resolution, 1).lattice.corner_offsets(
            1
        )
        found, exact = (result.values[hand].flatten()[corners] for result in (sparse, dense))
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("resolution", "fewer"), [(64, 20), (128, 40)])
def test_evaluates_a_small_share_of_the_lattice(resolution: int, fewer: int) -> None:
    result = search(
        field_of(HAND, HAND), resolution, 0.0, segments=torch.stack((HAND_BONES,) * 2), reach=0.1
    )
    assert result.evaluated * fewer < 2 * (resolution + 1) ** 3


def test_evaluates_no_point_twice() -> None:
    seen: list[Tensor] = []

    def field(points: Tensor, valid: Tensor) -> Tensor:
        hand = torch.arange(2)[:, None].expand(valid.shape)
        keys = (points * 64).round().long() * torch.tensor([65 * 65, 65, 1])
        seen.append((hand * 65**3 + keys.sum(-1))[valid])
        return torch.stack((HAND(points[0]), sphere(0.3)(points[1])))

    result = search(field, 64, 0.0)
    every = torch.cat(seen)
    assert len(every.unique()) == len(every) == result.evaluated


def test_bones_save_evaluations_and_change_nothing() -> None:
    field = field_of(HAND)
    plain = search(field, 64, 0.0, hands=1)
    hinted = search(field, 64, 0.0, hands=1, segments=HAND_BONES[None], reach=0.1)
    assert torch.equal(plain.cells[0], hinted.cells[0])
    assert hinted.evaluated < plain.evaluated


def test_a_reach_too_short_loses_nothing_that_is_connected() -> None:
    fat = capsules(HAND_BONES, HAND_RADII * 1.8)
    hinted = search(field_of(fat), 64, 0.0, hands=1, segments=HAND_BONES[None], reach=0.05)
    assert torch.equal(hinted.cells[0], search_densely(field_of(fat), 64, 0.0, hands=1).cells[0])


def test_a_rod_thinner_than_the_coarse_cells_is_followed_from_the_body_it_grows_from() -> None:
    rod = torch.tensor(
        [[[0.3, 0.53, 0.53], [0.3, 0.53, 0.53]], [[0.3, 0.53, 0.53], [0.9, 0.53, 0.53]]]
    )
    shape = field_of(capsules(rod, torch.tensor([0.15, 0.012])))
    assert torch.equal(
        search(shape, 64, 0.0, hands=1).cells[0], search_densely(shape, 64, 0.0, hands=1).cells[0]
    )


def test_a_rod_that_touches_nothing_is_found_by_its_bone() -> None:
    rod = torch.tensor([[[0.21, 0.53, 0.53], [0.79, 0.53, 0.53]]])
    shape = field_of(capsules(rod, torch.tensor([0.012])))
    hinted = search(shape, 64, 0.0, hands=1, segments=rod[None], reach=0.1)
    assert len(hinted.cells[0]) > 0
    assert torch.equal(hinted.cells[0], search_densely(shape, 64, 0.0, hands=1).cells[0])


def test_an_absent_surface_gives_no_cells_and_leaves_the_other_hand_alone() -> None:
    result = search(
        field_of(lambda points: torch.full(points.shape[:-1], -5.0), sphere(0.3)), 32, 0.0
    )
    assert len(result.cells[0]) == 0
    assert len(result.cells[1]) > 0


def test_a_box_full_of_occupancy_closes_at_its_border() -> None:
    result = search(field_of(lambda points: torch.ones(points.shape[:-1])), 32, 0.0, hands=1)
    assert len(result.cells[0]) == 32**3 - 30**3


def test_a_search_object_gives_the_same_on_every_call() -> None:
    keep = SurfaceSearch(64, 2)
    first = keep(field_of(HAND, sphere(0.3)), 0.0)
    cells, values = first.cells, first.values.clone()
    keep(field_of(sphere(0.4), torus), 0.25)
    keep(field_of(HAND, HAND), 0.0, segments=torch.stack((HAND_BONES,) * 2), reach=0.1)
    again = keep(field_of(HAND, sphere(0.3)), 0.0)
    assert all(torch.equal(a, b) for a, b in zip(cells, again.cells, strict=True))
    assert torch.equal(values, again.values)


def test_values_that_are_no_numbers_are_outside_and_infinite_ones_inside() -> None:
    def broken(points: Tensor) -> Tensor:
        field = sphere(0.3)(points)
        field = torch.where(field > 0.1, torch.inf, field)
        return torch.where(points[..., 0] > 0.9, torch.nan, field)

    result = search(field_of(broken), 32, 0.0, hands=1)
    assert torch.isfinite(result.values).all()
    assert torch.equal(result.cells[0], search(field_of(sphere(0.3)), 32, 0.0, hands=1).cells[0])


def test_small_chunks_give_the_same_surface() -> None:
    field = field_of(HAND, torus)
    whole, pieces = SurfaceSearch(32, 2)(field, 0.0), SurfaceSearch(32, 2, chunk=500)(field, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(whole.cells, pieces.cells, strict=True))


@pytest.mark.parametrize(
    ("resolution", "base"),
    [(32, 16), (64, 16), (128, 16), (256, 16), (48, 24), (96, 24), (192, 24), (80, 20), (33, 33)],
)
def test_every_resolution_has_a_base_of_at_least_sixteen_cells(resolution: int, base: int) -> None:
    assert resolution // coarsest_step(resolution) == base


def test_distance_to_segments_is_that_of_the_nearest_one() -> None:
    points = torch.rand((50, 3), generator=torch.Generator().manual_seed(1))
    nearest = torch.stack([distance(points, bone) for bone in HAND_BONES]).amin(0)
    torch.testing.assert_close(distance_to_segments(points, HAND_BONES), nearest, rtol=0, atol=1e-3)


def test_a_resolution_out_of_range_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="resolution 8 is outside 16..512"):
        search(field_of(HAND), 8, 0.0, hands=1)


def test_a_field_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="the field returned shape"):
        search(lambda points, valid: points, 32, 0.0)


@pytest.mark.parametrize("resolution", [64.0, "64", None])
def test_a_resolution_that_is_no_whole_number_is_refused(resolution):
    with pytest.raises(ValueError, match="give a whole number of cells"):
        Lattice(resolution, 1, torch.device("cpu"))
