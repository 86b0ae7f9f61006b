"""Rendered pictures made like photographs: hands get skin, their surroundings clutter."""

from __future__ import annotations

import numpy as np

from im2hands_ros.training import photograph_errors
from im2hands_ros.training.photograph_errors import photographed

GREY, ROWS, COLUMNS = 120, 64, 80


def scene() -> tuple[np.ndarray, np.ndarray]:
    """An even picture with a hand in its middle."""
    picture, mask = np.full((ROWS, COLUMNS, 3), GREY, np.uint8), np.zeros((ROWS, COLUMNS), np.uint8)
    mask[16:48, 20:60] = 2
    return picture, mask


def only(monkeypatch, chosen: str) -> None:
    names = ("TEXTURE", "CLUTTER", "SHADOWS", "SHARPENED", "SMOOTHED", "DISTURBED", "COMPRESSED")
    for name in names:
        monkeypatch.setattr(photograph_errors, name, float(name == chosen))
    monkeypatch.setattr(photograph_errors, "UNCHANGED", 0.0)


def test_a_picture_stays_one_whatever_is_drawn_and_the_rendered_one_is_left_alone() -> None:
    picture, mask = scene()
    before, changed = picture.copy(), 0
    for seed in range(60):
        first, again = (photographed(picture, mask, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == picture.shape and first.dtype == np.uint8
        assert np.array_equal(first, again)
        changed += not np.array_equal(first, picture)
    assert 35 < changed < 60
    assert np.array_equal(picture, before)


def test_skin_is_on_hands_alone(monkeypatch) -> None:
    only(monkeypatch, "TEXTURE")
    picture, mask = scene()
    drawn = [photographed(picture, mask, np.random.default_rng(seed)) for seed in range(10)]
    assert all((each[mask == 0] == GREY).all() for each in drawn)
    assert np.mean([each[mask > 0].std() for each in drawn]) > 3


def test_clutter_is_behind_hands(monkeypatch) -> None:
    only(monkeypatch, "CLUTTER")
    picture, mask = scene()
    drawn = [photographed(picture, mask, np.random.default_rng(seed)) for seed in range(10)]
    inside = np.zeros_like(mask)
    inside[19:45, 23:57] = 1  # the hand's edge is soft
    assert all((abs(each[inside > 0].astype(int) - GREY) <= 1).all() for each in drawn)
    assert sum(each[mask == 0].std() > 3 for each in drawn) > 5


def test_shadows_only_darken(monkeypatch) -> None:
    only(monkeypatch, "SHADOWS")
    picture, mask = scene()
    drawn = [photographed(picture, mask, np.random.default_rng(seed)) for seed in range(10)]
    assert all((each <= GREY).all() for each in drawn)
    assert sum(each.min() < 0.8 * GREY for each in drawn) > 5
