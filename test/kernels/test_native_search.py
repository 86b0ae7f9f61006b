"""The compiled search finds the cells, triangles and voxels that the one in torch finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from kernel_twins import boxes_and_bones, drawn_context, fully_corrected, native_twin
from scipy.spatial import cKDTree

from im2hands_ros.kernels.library import available, best
from im2hands_ros.kernels.mesh import voxel_centres
from im2hands_ros.surface.extract import extract
from im2hands_ros.surface.native_search import NativeSearch
from im2hands_ros.surface.pruned_search import PrunedSearch
from im2hands_ros.surface.voxels import occupied_voxels

CLOSE = 1e-5  # metres
ROUNDING = 1e-4  # millimetres of depth
LEVELS = sorted(available())


def by_torch(context, resolution, threshold=0.0):
    boxes, bones, reach = boxes_and_bones(context)

    def field(points, valid):
        return context.logits(boxes.palm_from_box(points))

    return PrunedSearch(resolution, len(bones), "cpu")(field, threshold, bones, reach)


def by_kernels(context, resolution, threshold=0.0, level=LEVELS[-1], search=None):
    twin = native_twin(available()[level], context)
    boxes, bones, reach = boxes_and_bones(context)
    search = search or NativeSearch(available()[level], resolution, len(bones))
    return search(twin.native_field, threshold, boxes, bones, reach)


def assert_same_surfaces(expected, found, context):
    side = boxes_and_bones(context)[0].side
    assert len(expected.cells) == len(found.cells)
    for hand, cells in enumerate(expected.cells):
        assert len(cells) > 100
        a, b = extract(expected, hand), extract(found, hand, kernels=best())
        if torch.equal(cells, found.cells[hand]):
            assert np.array_equal(a.triangles, b.triangles)
            assert np.abs(a.vertices - b.vertices).max() * float(side[hand]) < CLOSE
            continue
        one, other = set(cells.tolist()), set(found.cells[hand].tolist())
        assert_all_on_a_corner(expected, hand, one - other)
        assert_all_on_a_corner(found, hand, other - one)
        for one, other in ((a, b), (b, a)):
            apart, _ = cKDTree(one.vertices).query(other.vertices)
            assert apart.max() * float(side[hand]) < CLOSE
    # The order of work is about the same, not only its result; what the rough field was evaluated
    # at near the surface is evaluated again.
    assert 0.99 * expected.evaluated < found.evaluated < 1.4 * expected.evaluated


def assert_all_on_a_corner(surface, hand, cells):
    """The surface passes through a corner of these few cells: rounding decides whether they hold
    a part of it."""
    assert len(cells) < 8
    n = surface.resolution + 1
    offsets = torch.tensor([(x * n + y) * n + z for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    values = surface.values[hand].flatten()
    for cell in cells:
        assert (values[cell + offsets] - surface.threshold).abs().min() < ROUNDING


@pytest.mark.parametrize("resolution", [32, 33, 48, 64, 96, 128])
@torch.no_grad()
def test_finds_the_same_surfaces(resolution):
    context = drawn_context()
    assert_same_surfaces(by_torch(context, resolution), by_kernels(context, resolution), context)


@torch.no_grad()
def test_finds_the_same_surfaces_in_256_cells():
    context = drawn_context(sides=("right",))
    assert_same_surfaces(by_torch(context, 256), by_kernels(context, 256), context)


@pytest.mark.parametrize("number", range(0, 90, 15))
@torch.no_grad()
def test_finds_the_same_surfaces_in_many_frames_with_all_corrections(number):
    context = fully_corrected(drawn_context(number))
    assert_same_surfaces(by_torch(context, 64), by_kernels(context, 64), context)


@pytest.mark.parametrize("level", LEVELS)
@torch.no_grad()
def test_every_instruction_set_finds_the_same_surfaces(level):
    context = drawn_context()
    assert_same_surfaces(by_torch(context, 64), by_kernels(context, 64, level=level), context)


@torch.no_grad()
def test_a_search_forgets_the_frame_and_the_threshold_before():
    search = NativeSearch(best(), 64, 2)
    for number, threshold in ((0, 0.0), (60, 1.5), (60, 0.0)):
        context = drawn_context(number)
        found = by_kernels(context, 64, threshold, search=search)
        assert_same_surfaces(by_torch(context, 64, threshold), found, context)


@torch.no_grad()
def test_threads_do_not_matter():
    context, threads = fully_corrected(drawn_context()), torch.get_num_threads()
    found = []
    try:
        for number in (1, 2, 4):
            torch.set_num_threads(number)
            found.append(by_kernels(context, 64))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert torch.equal(found[0].values, other.values)
        assert all(map(torch.equal, found[0].cells, other.cells))


@torch.no_grad()
def test_a_threshold_that_nothing_reaches_has_no_surface():
    context = drawn_context()
    found = by_kernels(context, 64, threshold=50.0)
    assert [len(cells) for cells in found.cells] == [0, 0]
    assert extract(found, 0, kernels=best()) is None


def test_resolutions_out_of_range_are_refused():
    for resolution in (15, 513):
        with pytest.raises(ValueError, match=str(resolution)):
            NativeSearch(best(), resolution, 2)


@torch.no_grad()
def test_components_that_are_small_or_hollow_are_left_out():
    context = drawn_context(sides=("left",))
    cells = by_kernels(context, 64)
    whole = extract(cells, 0)
    n = 65
    values, more = cells.values.clone(), [cells.cells[0]]
    for depth, place in ((1.0, (4, 4, 4)), (-1.0, cells_inside(values[0]))):
        x, y, z = place
        values[0, x, y, z] = depth
        around = torch.cartesian_prod(*[torch.arange(-1, 1)] * 3) + torch.tensor(place)
        more.append((around * torch.tensor([n * n, n, 1])).sum(1))
    spoilt = replace(cells, values=values, cells=(torch.cat(more).unique(),))
    for kernels in (None, best()):
        found = extract(spoilt, 0, kernels=kernels)
        assert np.array_equal(found.triangles, whole.triangles)
        assert np.abs(found.vertices - whole.vertices).max() < 1e-3


def cells_inside(values):
    """A lattice point deep inside: it and its neighbours made exact."""
    deep = values.new_zeros(values.shape, dtype=torch.bool)
    inside = values >= 0
    deep[2:-2, 2:-2, 2:-2] = True
    for axis in range(3):
        for shift in (-2, -1, 1, 2):
            deep &= inside.roll(shift, axis)
    return tuple((deep & inside).nonzero()[0].tolist())


@pytest.mark.parametrize("size", [0.002, 0.005, 0.02])
@torch.no_grad()
def test_finds_the_same_voxels(size):
    context = drawn_context(sides=("right",))
    found = extract(by_kernels(context, 64), 0)
    vertices = found.vertices * 0.2 - 0.1

    def everywhere(centres):
        return np.ones(len(centres), np.float32)

    expected, _ = occupied_voxels(vertices, found.triangles, everywhere, size)
    centres, _ = occupied_voxels(vertices, found.triangles, everywhere, size, kernels=best())
    assert len(expected) > 50 and np.array_equal(centres, expected)
    assert np.array_equal(voxel_centres(best(), vertices, found.triangles, size), expected)
