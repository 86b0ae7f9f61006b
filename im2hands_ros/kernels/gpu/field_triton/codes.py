"""Image codes of points: what is seen where they project to, and what the image's tokens add."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import constexpr

from im2hands_ros.kernels.gpu.field_triton.rows import (
    ATTENTION,
    ATTENTION_BIAS,
    FEED_FIRST,
    FEED_FIRST_BIAS,
    FEED_SECOND,
    FEED_SECOND_BIAS,
    HEAD,
    IMAGE_SIZE,
    OUTPUT,
    OUTPUT_BIAS,
    PIXELS,
    PLACE,
    PROJECTION,
    RELATIVE,
    SECOND,
    SECOND_BIAS,
    WIDTH,
    load_matrix,
    load_row,
    normalise,
    turned,
)


@triton.jit
def _feature(pixels, column, row, share, width: constexpr):
    """(P, WIDTH) features of pixels, weighted."""
    number = row * width + column
    channels = tl.arange(0, WIDTH)[None, :]
    return share[:, None] * tl.load(pixels + number[:, None] * WIDTH + channels)


@triton.jit
def _sampled(pixels, across, down, height: constexpr, width: constexpr):
    """(P, WIDTH) bilinear image features at crop positions in [-1, 1]; the border goes on."""
    x = tl.minimum(tl.maximum(((across + 1.0) * width - 1.0) * 0.5, 0.0), width - 1.0)
    y = tl.minimum(tl.maximum(((down + 1.0) * height - 1.0) * 0.5, 0.0), height - 1.0)
    left, top = x.to(tl.int32), y.to(tl.int32)
    right, bottom = tl.minimum(left + 1, width - 1), tl.minimum(top + 1, height - 1)
    x, y = x - left.to(tl.float32), y - top.to(tl.float32)
    found = _feature(pixels, left, top, (1.0 - x) * (1.0 - y), width)
    found += _feature(pixels, right, top, x * (1.0 - y), width)
    found += _feature(pixels, left, bottom, (1.0 - x) * y, width)
    return found + _feature(pixels, right, bottom, x * y, width)


@triton.jit
def _query(net, hand, geometry, x, y, z, HEIGHT: constexpr, COLUMNS: constexpr):
    """(P, 32) query tokens: where points are seen and the image's features there."""
    projection = geometry + PROJECTION
    depth = tl.maximum(turned(projection + 8, x, y, z) + tl.load(projection + 11), 1e-3)
    across = (turned(projection, x, y, z) + tl.load(projection + 3)) / depth
    down = (turned(projection + 4, x, y, z) + tl.load(projection + 7)) / depth
    size = tl.load(net + IMAGE_SIZE)
    across = tl.minimum(tl.maximum((2.0 * across + 1.0) / size - 1.0, -2.0), 2.0)
    down = tl.minimum(tl.maximum((2.0 * down + 1.0) / size - 1.0, -2.0), 2.0)
    a = _sampled(geometry + PIXELS, across, down, HEIGHT, COLUMNS) + load_row(hand, WIDTH)
    for axis in tl.static_range(3):
        value = turned(geometry + RELATIVE + 3 * axis, x, y, z)
        a += value[:, None] * load_row(net + PLACE + axis * WIDTH, WIDTH)
    a += across[:, None] * load_row(net + PLACE + 3 * WIDTH, WIDTH)
    a += down[:, None] * load_row(net + PLACE + 4 * WIDTH, WIDTH)
    a = tl.maximum(a, 0.0)
    second = tl.dot(a, load_matrix(net + SECOND, WIDTH, WIDTH, WIDTH), input_precision="ieee")
    return second + load_row(net + SECOND_BIAS, WIDTH)


@triton.jit
def _projected(net, y, column, PRECISION: constexpr):
    """(P, 16) of a query, key or value's head, whose columns begin at `column`."""
    weight = load_matrix(net + ATTENTION + column, WIDTH, HEAD, 3 * WIDTH)
    made = tl.dot(y, weight, input_precision=PRECISION)
    return made + load_row(net + ATTENTION_BIAS + column, HEAD)


@triton.jit
def _attended(net, hand, y, head, TOKENS: constexpr, PAD: constexpr, PRECISION: constexpr):
    """(P, 16) what a head reads of the image's tokens and of the points themselves."""
    query = _projected(net, y, head * HEAD, PRECISION)
    own_key = _projected(net, y, WIDTH + head * HEAD, PRECISION)
    own_value = _projected(net, y, 2 * WIDTH + head * HEAD, PRECISION)
    token, channel = tl.arange(0, PAD), tl.arange(0, HEAD)
    there = token < TOKENS
    keys = hand + WIDTH + head * HEAD * TOKENS
    values = hand + WIDTH + WIDTH * TOKENS + head * HEAD * TOKENS
    key = tl.load(keys + channel[:, None] * TOKENS + token[None, :], mask=there[None, :], other=0.0)
    value = tl.load(
        values + token[:, None] * HEAD + channel[None, :], mask=there[:, None], other=0.0
    )
    scores = tl.dot(query, key, input_precision=PRECISION)
    scores = tl.where(there[None, :], scores, -1e30)
    own = tl.sum(query * own_key, 1)
    most = tl.maximum(tl.max(scores, 1), own)
    weights, own = tl.exp(scores - most[:, None]), tl.exp(own - most)
    total = tl.sum(weights, 1) + own
    read = tl.dot(weights, value, input_precision=PRECISION) + own[:, None] * own_value
    return read * (1.0 / total)[:, None]


@triton.jit
def codes_of(
    net, hand, geometry, x, y, z,
    TOKENS: constexpr, PAD: constexpr, HEIGHT: constexpr, COLUMNS: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """(P, 32) image codes of points."""
    b = _query(net, hand, geometry, x, y, z, HEIGHT, COLUMNS)
    normalised = normalise(b, WIDTH)
    for head in range(2):
        read = _attended(net, hand, normalised, head, TOKENS, PAD, PRECISION)
        weight = load_matrix(net + OUTPUT + head * HEAD * WIDTH, HEAD, WIDTH, WIDTH)
        b += tl.dot(read, weight, input_precision=PRECISION)
    b += load_row(net + OUTPUT_BIAS, WIDTH)
    normalised = normalise(b, WIDTH)
    weight = load_matrix(net + FEED_FIRST, WIDTH, WIDTH, WIDTH)
    c = tl.dot(normalised, weight, input_precision=PRECISION) + load_row(
        net + FEED_FIRST_BIAS, WIDTH
    )
    weight = load_matrix(net + FEED_SECOND, WIDTH, WIDTH, WIDTH)
    b += tl.dot(tl.maximum(c, 0.0), weight, input_precision=PRECISION)
    return b + load_row(net + FEED_SECOND_BIAS, WIDTH)
