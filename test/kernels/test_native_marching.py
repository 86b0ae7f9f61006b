"""Marching cubes by the library: the triangles that scikit-image makes, in every case."""

import logging

import numpy as np
import pytest
from skimage.measure import marching_cubes

from im2hands_ros.kernels import marching
from im2hands_ros.kernels.library import available, best

LEVELS = sorted(available())


def noise(seed):
    """A lattice of noise within a border that is outside: cells of all kinds."""
    generator = np.random.default_rng(seed)
    side = int(generator.integers(4, 12))
    values = np.full((side,) * 3, -1, np.float32)
    values[1:-1, 1:-1, 1:-1] = generator.standard_normal((side - 2,) * 3)
    return values


def crossed(values):
    inside, side = values >= 0, len(values)
    corners = [
        inside[x : side - 1 + x, y : side - 1 + y, z : side - 1 + z]
        for x in (0, 1)
        for y in (0, 1)
        for z in (0, 1)
    ]
    x, y, z = np.nonzero(np.any(corners, 0) & ~np.all(corners, 0))
    return (x * side + y) * side + z


def positive(vertices, triangles):
    """Of one triangulation, what is not inside out, by brute force."""
    label = np.arange(len(vertices))
    while True:
        least = label[triangles].min(1)
        lower = label.copy()
        np.minimum.at(lower, triangles, least[:, None])
        if np.array_equal(lower, label):
            break
        label = lower
    a, b, c = (vertices[triangles[:, k]].astype(float) for k in range(3))
    volume = np.zeros(len(vertices))
    np.add.at(volume, label[triangles[:, 0]], (np.cross(a, b) * c).sum(1))
    keep = volume[label] > 0
    return vertices[keep], (np.cumsum(keep) - 1)[triangles[keep[triangles[:, 0]]]]


@pytest.mark.parametrize("level", LEVELS)
def test_triangles_are_those_of_scikit_image(level):
    mesher, compared = marching.mesher(available()[level]), 0
    for seed in range(60):
        values = noise(seed)
        expected = marching_cubes(values, 0.0, gradient_direction="ascent")[:2]
        vertices, triangles = positive(*expected)
        found = mesher(values, crossed(values), 0.0, 0.0, 0.0)
        if found is None:
            assert not len(triangles)
            continue
        assert np.array_equal(found[1], triangles)
        assert np.abs(found[0] - vertices).max() < 1e-5
        compared += len(triangles)
    assert compared > 20_000


def test_a_threshold_is_taken_off_the_values():
    values = noise(5)
    plain, shifted = (
        marching.mesher(best())(values + by, crossed(values), by, 1e-3, 0.0) for by in (0.0, 4.0)
    )
    assert np.array_equal(plain[1], shifted[1])
    assert np.abs(plain[0] - shifted[0]).max() < 1e-3


def test_without_cells_there_is_no_surface():
    values = noise(0)
    assert marching.mesher(best())(values, np.empty(0, np.int64), 0.0, 1e-3, 0.05) is None


def test_unknown_tables_are_logged_and_left_to_scikit_image(monkeypatch, caplog):
    marching.mesher.cache_clear()
    monkeypatch.setattr(marching, "_known", None)
    try:
        with caplog.at_level(logging.WARNING):
            assert marching.mesher(best()) is None
        assert "marching cubes by scikit-image" in caplog.text
    finally:
        marching.mesher.cache_clear()
