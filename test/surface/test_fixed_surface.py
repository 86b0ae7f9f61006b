"""Search and marching cubes with lists of fixed size give the surfaces of those without."""

import numpy as np
import pytest
import torch
import trimesh
from device_twins import device_field, place_of
from kernel_twins import boxes_and_bones, drawn_context, fully_corrected, native_twin
from scipy.spatial import cKDTree

from im2hands_ros.kernels.gpu.points import TILE
from im2hands_ros.kernels.library import best
from im2hands_ros.surface import fixed_search
from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.fixed_surface import FixedSurfaces
from im2hands_ros.surface.search import SurfaceSearch

CLOSE = 1e-5  # metres
CPU = torch.device("cpu")


def expected(context, resolution, threshold=0.0):
    """Surfaces by the search that evaluates every corner, and scikit-image."""
    boxes, bones, reach = boxes_and_bones(context)
    native = native_twin(best(), context).native_field

    def field(points, valid):
        return native(boxes.palm_from_box(points))

    cells = SurfaceSearch(resolution, len(bones))(field, threshold, bones, reach)
    return [extract(cells, hand, kernels=best()) for hand in range(len(bones))]


def found(context, resolution, threshold=0.0, surfaces=None):
    """Surfaces and points evaluated with lists of fixed size; None where they overflow."""
    field = device_field(context)
    surfaces = surfaces or FixedSurfaces(resolution, len(field.blocks.hands), CPU)
    made = surfaces.found(field.of_list, place_of(context, threshold))
    return surfaces.read(made.numpy())


def assert_same_surfaces(context, resolution, threshold=0.0, surfaces=None):
    whole = expected(context, resolution, threshold)
    mine, _ = found(context, resolution, threshold, surfaces)
    side = boxes_and_bones(context)[0].side
    same = total = 0
    for hand, surface in enumerate(mine):
        size = float(side[hand])
        # Components are left out by `extract`, which the pipeline runs as well.
        mesh = trimesh.Trimesh(surface.vertices / resolution, surface.triangles, process=False)
        assert mesh.is_watertight and mesh.is_winding_consistent
        parts = mesh.split(only_watertight=False)
        mesh = max(parts, key=lambda part: part.volume)
        theirs = whole[hand]
        there, place = cKDTree(theirs.vertices).query(mesh.vertices)
        back, _ = cKDTree(mesh.vertices).query(theirs.vertices)
        # Where faces are ambiguous scikit-image may put a vertex in the middle of a cell.
        on_edges = (np.abs(theirs.vertices * resolution % 1 - 0.5) > 0.4999).sum(1) >= 2
        assert there.max() * size < CLOSE and back[on_edges].max() * size < CLOSE
        assert on_edges.mean() > 0.999
        ours = np.sort(place[mesh.faces], 1)
        known = set(map(tuple, np.sort(theirs.triangles, 1).tolist()))
        same += sum(tuple(row) in known for row in ours.tolist())
        total += len(ours)
    # Cells with faces whose corners alternate may be cut otherwise.
    assert same > 0.995 * total


@pytest.mark.parametrize("number", range(0, 90, 9))
@torch.no_grad()
def test_finds_the_same_surfaces(number):
    assert_same_surfaces(drawn_context(number), 64)


@pytest.mark.parametrize("resolution", [32, 48, 96, 128])
@torch.no_grad()
def test_finds_the_same_surfaces_in_other_resolutions(resolution):
    assert_same_surfaces(fully_corrected(drawn_context()), resolution)


@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_finds_the_same_surface_of_one_hand(side):
    assert_same_surfaces(drawn_context(sides=(side,)), 64)


@torch.no_grad()
def test_a_search_forgets_the_frame_and_the_threshold_before():
    surfaces = FixedSurfaces(64, 2, CPU)
    for number, threshold in ((0, 0.0), (60, 1.5), (60, 0.0)):
        assert_same_surfaces(drawn_context(number), 64, threshold, surfaces)


@torch.no_grad()
def test_a_threshold_that_nothing_reaches_has_no_surface():
    surfaces, evaluated = found(drawn_context(), 64, threshold=50.0)
    assert [len(each.triangles) for each in surfaces] == [0, 0] and evaluated > 1000


@torch.no_grad()
def test_the_ring_leaves_next_to_nothing_to_be_followed():
    field = device_field(drawn_context())
    FixedSurfaces(64, 2, CPU).found(field.of_list, place_of(drawn_context()))
    first, _, repaired, last, repaired_again = field.evaluator.lists
    assert first < 4096 and last < 32768 and repaired + repaired_again < 100


@torch.no_grad()
def test_a_list_that_is_too_short_is_flagged(monkeypatch):
    monkeypatch.setattr(fixed_search, "POINTS_A_SQUARE", 3)
    assert found(drawn_context(), 64) is None


@torch.no_grad()
def test_cells_without_room_are_flagged():
    from im2hands_ros.surface import fixed_surface

    before, fixed_surface.CELLS_A_SQUARE = fixed_surface.CELLS_A_SQUARE, 1.0
    try:
        surfaces = FixedSurfaces(64, 2, CPU)
    finally:
        fixed_surface.CELLS_A_SQUARE = before
    assert found(drawn_context(), 64, surfaces=surfaces) is None


@torch.no_grad()
def test_a_surface_that_leaves_what_is_listed_is_flagged():
    """A shape that the first round sees nothing of but one end."""
    context = drawn_context(sides=("right",))
    place = place_of(context)
    place = place._replace(segments=torch.full_like(place.segments, 0.15), reach=torch.tensor(0.1))

    def needle(points):
        box = (points.points - place.origin) / place.side
        across = (box[:, :2] - 0.15).norm(dim=1)
        return 0.012 - across + torch.where((box[:, 2] - 0.5).abs() < 0.45, 0.0, -1.0)

    surfaces = FixedSurfaces(64, 1, CPU)
    assert surfaces.read(surfaces.found(needle, place).numpy()) is None


def test_resolutions_without_coarse_cells_are_refused():
    for resolution in (31, 33):
        with pytest.raises(ValueError, match=str(resolution)):
            FixedSurfaces(resolution, 2, CPU)
    assert TILE % 16 == 0
