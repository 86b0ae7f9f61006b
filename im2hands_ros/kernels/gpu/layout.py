"""Where the parts of packed weights, hands and anchors begin (networks/compact/packing.py).

The same blocks as `src/network.h` reads, so that both kernels are fed by one packing.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

BONES, WIDTH, HEADS, HEAD, HIDDEN, ANCHOR_KEY = 20, 32, 2, 16, 64, 20
CLAIM_INPUTS = 2 * WIDTH + 3 * HEADS + 1
_SQUARE = WIDTH * WIDTH

# Name and number of floats of each part, in order.
_INITIAL = {
    "place": 5 * WIDTH,
    "second": _SQUARE,
    "second_bias": WIDTH,
    "attention": 3 * _SQUARE,
    "attention_bias": 3 * WIDTH,
    "output": _SQUARE,
    "output_bias": WIDTH,
    "feed_first": _SQUARE,
    "feed_first_bias": WIDTH,
    "feed_second": _SQUARE,
    "feed_second_bias": WIDTH,
    "bone_first": BONES * 11 * WIDTH,
    "bone_second": BONES * _SQUARE,
    "bone_third": BONES * 2 * _SQUARE,
    "bone_third_bias": BONES * WIDTH,
    "bone_fourth": BONES * _SQUARE,
    "bone_fourth_bias": BONES * WIDTH,
    "bone_last": BONES * WIDTH,
    "radius": BONES,
    "frequency": 1,
    "image_size": 1,
}
_REFINEMENT = {
    "query_first": 4 * WIDTH,
    "query_first_bias": WIDTH,
    "query_second": _SQUARE,
    "query_second_bias": WIDTH,
    "correct_first": CLAIM_INPUTS * HIDDEN,
    "correct_first_bias": HIDDEN,
    "correct_second": HIDDEN * HIDDEN,
    "correct_second_bias": HIDDEN,
    "correct_last": HIDDEN,
    "correct_last_bias": 1,
    "limits": 5,  # band, largest, gap, margin (mm), near anchors (m)
}


class Layout(NamedTuple):
    """Offsets of a block's parts by name, and the floats of the whole."""

    at: dict[str, int]
    size: int

    @classmethod
    def of(cls, parts: dict[str, int]) -> Layout:
        """Parts one after the other."""
        ends = list(accumulate(parts.values()))
        return cls(dict(zip(parts, [0, *ends], strict=False)), ends[-1])


def weights(refined: bool) -> Layout:
    """Of a network's weights."""
    return Layout.of(_INITIAL | _REFINEMENT if refined else _INITIAL)


def hand(height: int, width: int, tokens: int) -> Layout:
    """Of one hand, with image features of this size and so many image tokens."""
    return Layout.of(
        {
            "side_bias": WIDTH,
            "keys": HEADS * HEAD * tokens,
            "values": HEADS * HEAD * tokens,
            "projection": 12,
            "relative": 9,
            "frame": BONES * 12,
            "axis": BONES * 4,
            "start": BONES * 3,
            "direction": BONES * 3,
            "length": BONES,
            "floor": 2 * BONES,
            "first_bias": BONES * WIDTH,
            "second_bias": BONES * WIDTH,
            "pixels": height * width * WIDTH,
        }
    )


def anchors(count: int) -> Layout:
    """Of one hand's anchors and the other hand's, `count` together."""
    return Layout.of(
        {
            "keys": HEADS * ANCHOR_KEY * count,
            "values": HEADS * ANCHOR_KEY * count,
            "their": 3 * (count // 2),
            "other_from_palm": 12,
            "share": 1,
        }
    )
