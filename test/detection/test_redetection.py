"""Re-detection in the image made smaller: where things are in it, and what counts as missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from seen_hands import CAMERA, landmarks_of, open_hand, shifted

from im2hands_ros.detection.landmarks import Landmarks
from im2hands_ros.detection.redetection import enlarged, missed, smaller


def square(row: int, column: int, size: tuple[int, int]) -> np.ndarray:
    """A black picture with a white square of 11 pixels around (row, column)."""
    image = np.zeros((*size, 3), np.uint8)
    image[row - 5 : row + 6, column - 5 : column + 6] = 255
    return image


def middle(image: np.ndarray) -> np.ndarray:
    """(column, row) of the light."""
    light = image[..., 0].astype(float)
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()


@pytest.mark.parametrize("size", [(480, 640), (479, 641), (256, 256)])
def test_what_is_found_in_the_smaller_picture_lies_where_it_is_in_the_picture(size) -> None:
    image = square(100, 200, size)
    small = smaller(image)
    assert small.shape == image.shape
    seen = np.tile(middle(small), (21, 1))
    hand = Landmarks(seen, np.full(21, 3.0), np.zeros((21, 3)), 1.0)
    assert np.allclose(enlarged(hand, size).pixels, middle(image), atol=0.3)
    assert np.allclose(enlarged(hand, size).relief, 5.0)


def test_the_edges_are_drawn_out() -> None:
    assert (smaller(np.full((480, 640, 3), 77, np.uint8)) == 77).all()


def test_only_another_hand_was_missed() -> None:
    hand, other = (landmarks_of(shifted(open_hand(), x), CAMERA) for x in (-0.1, 0.1))
    again = replace(hand, pixels=hand.pixels + 3)
    turned = replace(hand, pixels=hand.pixels[::-1])
    assert missed([hand], [again, turned, other]) == [other]
    assert missed([], [hand, other]) == [hand, other]
    assert missed([hand, other], [again]) == []
