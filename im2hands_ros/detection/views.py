"""From which sides a picture is looked at where a hand is missing, cheap views first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from im2hands_ros.detection.landmarks import FloatArray, Landmarks
from im2hands_ros.detection.voting import LEAST_PRESENCE
from im2hands_ros.networks.compact.palm_network import INPUT_SIZE


class Turn(NamedTuple):
    """A view; angle: degrees clockwise; zoom: 1 shows the whole picture or area, 0.5 shows it half
    as large."""

    angle: float
    mirrored: bool
    zoom: float = 1.0


# One after the other until both hands are found. Each finds most of the hands of our renders (split
# `val`) that the ones before have missed.
PICTURE_ROUNDS: tuple[tuple[Turn, ...], ...] = (
    (Turn(0, False), Turn(90, True)),
    (Turn(-45, False, 0.6), Turn(-135, False)),
    (Turn(180, False), Turn(0, True, 0.6)),
)
# Around what was found until then, or around the middle of the picture.
AREA_ROUNDS: tuple[tuple[Turn, ...], ...] = ((Turn(0, False), Turn(45, True)),)
AREA = 2.6
"""Of a hand's extent: the side of the area around it."""


def view(middle: FloatArray, side: float, turn: Turn) -> FloatArray:
    """(2, 3) map from the picture to a view of a square area.

    Args:
        middle, side: (2,) of the area, pixels.
    """
    angle, scale = np.radians(turn.angle), turn.zoom * INPUT_SIZE / side
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if turn.mirrored:
        linear = linear * (-1, 1)
    return np.column_stack([linear, (INPUT_SIZE - 1) / 2 - linear @ middle])


def picture_views(size: tuple[int, int], turns: tuple[Turn, ...]) -> list[FloatArray]:
    """Views of a whole picture of this (height, width)."""
    middle = (np.array(size[::-1]) - 1) / 2
    return [view(middle, max(size), turn) for turn in turns]


def tiles(size: tuple[int, int]) -> Iterator[FloatArray]:
    """Views of the four corners, each showing 0.6 of the longer side: for small hands."""
    height, width = size
    side = 0.6 * max(size)
    for x in (side / 2, width - side / 2):
        for y in (min(side, height) / 2, height - min(side, height) / 2):
            yield view(np.array([x, y]), side, Turn(0, False))


def rounds(
    findings: Sequence[Landmarks], known: Mapping[str, Landmarks], size: tuple[int, int]
) -> Iterator[Callable[[], list[FloatArray]]]:
    """Makers of each round's views, which know what the rounds before have found."""
    for turns in PICTURE_ROUNDS:
        yield partial(picture_views, size, turns)
    for turns in AREA_ROUNDS:
        yield partial(_area_views, findings, known, size, turns)


def _area_views(
    findings: Sequence[Landmarks],
    known: Mapping[str, Landmarks],
    size: tuple[int, int],
    turns: Sequence[Turn],
) -> list[FloatArray]:
    """Views of where hands are likely: around a hand, else the picture's inner half."""
    hands = [*known.values(), *findings]
    best = max(hands, key=lambda hand: hand.presence, default=None)
    if best is None or best.presence < LEAST_PRESENCE:
        middle, side = (np.array(size[::-1]) - 1) / 2, 0.6 * max(size)
    else:
        middle, side = best.centre, AREA * best.extent
    return [view(middle, side, turn) for turn in turns]
