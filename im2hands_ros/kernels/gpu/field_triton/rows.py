"""Where everything lies in the blocks of floats (`kernels.gpu.layout`), and small steps of rows."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import constexpr

from im2hands_ros.kernels.gpu import layout

_AT = layout.weights(refined=True).at
PLACE, SECOND, SECOND_BIAS = (constexpr(_AT[n]) for n in ("place", "second", "second_bias"))
ATTENTION, ATTENTION_BIAS = (constexpr(_AT[n]) for n in ("attention", "attention_bias"))
OUTPUT, OUTPUT_BIAS = constexpr(_AT["output"]), constexpr(_AT["output_bias"])
FEED_FIRST, FEED_FIRST_BIAS = constexpr(_AT["feed_first"]), constexpr(_AT["feed_first_bias"])
FEED_SECOND, FEED_SECOND_BIAS = constexpr(_AT["feed_second"]), constexpr(_AT["feed_second_bias"])
BONE_FIRST, BONE_SECOND = constexpr(_AT["bone_first"]), constexpr(_AT["bone_second"])
BONE_THIRD, BONE_THIRD_BIAS = constexpr(_AT["bone_third"]), constexpr(_AT["bone_third_bias"])
BONE_FOURTH, BONE_FOURTH_BIAS = constexpr(_AT["bone_fourth"]), constexpr(_AT["bone_fourth_bias"])
BONE_LAST, RADIUS = constexpr(_AT["bone_last"]), constexpr(_AT["radius"])
FREQUENCY, IMAGE_SIZE = constexpr(_AT["frequency"]), constexpr(_AT["image_size"])
QUERY_FIRST, QUERY_FIRST_BIAS = constexpr(_AT["query_first"]), constexpr(_AT["query_first_bias"])
QUERY_SECOND = constexpr(_AT["query_second"])
QUERY_SECOND_BIAS = constexpr(_AT["query_second_bias"])
CORRECT_FIRST = constexpr(_AT["correct_first"])
CORRECT_FIRST_BIAS = constexpr(_AT["correct_first_bias"])
CORRECT_SECOND = constexpr(_AT["correct_second"])
CORRECT_SECOND_BIAS = constexpr(_AT["correct_second_bias"])
CORRECT_LAST = constexpr(_AT["correct_last"])
CORRECT_LAST_BIAS, LIMITS = constexpr(_AT["correct_last_bias"]), constexpr(_AT["limits"])
BONES = constexpr(layout.BONES)
WIDTH, HEAD, HIDDEN = constexpr(layout.WIDTH), constexpr(layout.HEAD), constexpr(layout.HIDDEN)
KEY = constexpr(layout.ANCHOR_KEY)
_SHIFT = layout.hand(0, 0, 0).at
PROJECTION, RELATIVE, FRAME, AXIS, START, DIRECTION, LENGTH, FLOOR, FIRST_BIAS, PIXELS = (
    constexpr(_SHIFT[name] - layout.WIDTH)
    for name in (
        *("projection", "relative", "frame", "axis", "start", "direction", "length"),
        "floor",
        *("first_bias", "pixels"),
    )
)
SECOND_BIAS_OF_BONE = constexpr(_SHIFT["second_bias"] - layout.WIDTH)
# Anchors attended to at once.
PART = constexpr(64)


@triton.jit
def load_row(at, columns: constexpr):
    """(1, columns) floats."""
    return tl.load(at + tl.arange(0, columns))[None, :]


@triton.jit
def load_matrix(at, rows: constexpr, columns: constexpr, stride: constexpr):
    """(rows, columns) floats whose rows begin `stride` apart."""
    return tl.load(at + tl.arange(0, rows)[:, None] * stride + tl.arange(0, columns)[None, :])


@triton.jit
def leaky(x):
    return tl.where(x > 0, x, 0.1 * x)


@triton.jit
def normalise(x, columns: constexpr):
    """Rows without mean, of variance one."""
    centred = x - (tl.sum(x, 1) / columns)[:, None]
    return centred * (1.0 / tl.sqrt(tl.sum(centred * centred, 1) / columns + 1e-6))[:, None]


@triton.jit
def turned(at, x, y, z):
    """One coordinate of a map (3 factors) of points."""
    return tl.load(at) * x + tl.load(at + 1) * y + tl.load(at + 2) * z
