"""Disturbed pictures are pictures still: of their size, other than before, and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from im2hands_ros.training.camera_errors import disturbed


@pytest.mark.parametrize("shape", [(224, 224, 3), (96, 160, 3)])
def test_a_picture_stays_one_whatever_is_drawn(shape) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before, changed = picture.copy(), 0
    for seed in range(60):
        first, again = (disturbed(picture, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == shape and first.dtype == np.uint8
        assert np.array_equal(first, again)
        changed += not np.array_equal(first, picture)
    assert changed > 50
    assert np.array_equal(picture, before)


def test_some_pictures_lose_their_colour_and_some_are_covered_or_blurred() -> None:
    rows = np.linspace(30, 220, 64, dtype=np.uint8)
    picture = np.stack([np.tile(rows, (64, 1)), np.full((64, 64), 40, np.uint8)] * 2, -1)[..., :3]
    drawn = [disturbed(picture, np.random.default_rng(seed)) for seed in range(80)]
    grey = [np.ptp(each.astype(int), axis=2).mean() < 12 for each in drawn]
    assert 5 < sum(grey) < 60
