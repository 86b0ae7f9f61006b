"""The compact networks' field as one Triton kernel over a list of points of all hands.

A program takes one tile of points of one hand. What `src/field.h` does for a tile of 16 points with
vector instructions is done here with matrix products; every step of it has the same name there. A
point's nearest four bones are those that count, but a tile evaluates every bone that is near to
some of its points: points of a list are neighbours, so these are few.

Imports Triton: use `kernels.gpu.field`, which says whether it is there. Coordinates are multiplied
in float32 always; PRECISION is that of the products of features (``ieee`` or ``tf32``).
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import constexpr

from im2hands_ros.kernels.gpu import layout

_AT = layout.weights(refined=True).at
_PLACE, _SECOND, _SECOND_BIAS = (constexpr(_AT[n]) for n in ("place", "second", "second_bias"))
_ATTENTION, _ATTENTION_BIAS = (constexpr(_AT[n]) for n in ("attention", "attention_bias"))
_OUTPUT, _OUTPUT_BIAS = constexpr(_AT["output"]), constexpr(_AT["output_bias"])
_FEED_FIRST, _FEED_FIRST_BIAS = constexpr(_AT["feed_first"]), constexpr(_AT["feed_first_bias"])
_FEED_SECOND, _FEED_SECOND_BIAS = constexpr(_AT["feed_second"]), constexpr(_AT["feed_second_bias"])
_BONE_FIRST, _BONE_SECOND = constexpr(_AT["bone_first"]), constexpr(_AT["bone_second"])
_BONE_THIRD, _BONE_THIRD_BIAS = constexpr(_AT["bone_third"]), constexpr(_AT["bone_third_bias"])
_BONE_FOURTH, _BONE_FOURTH_BIAS = constexpr(_AT["bone_fourth"]), constexpr(_AT["bone_fourth_bias"])
_BONE_LAST, _RADIUS = constexpr(_AT["bone_last"]), constexpr(_AT["radius"])
_FREQUENCY, _IMAGE_SIZE = constexpr(_AT["frequency"]), constexpr(_AT["image_size"])
_QUERY_FIRST, _QUERY_FIRST_BIAS = constexpr(_AT["query_first"]), constexpr(_AT["query_first_bias"])
_QUERY_SECOND = constexpr(_AT["query_second"])
_QUERY_SECOND_BIAS = constexpr(_AT["query_second_bias"])
_CORRECT_FIRST = constexpr(_AT["correct_first"])
_CORRECT_FIRST_BIAS = constexpr(_AT["correct_first_bias"])
_CORRECT_SECOND = constexpr(_AT["correct_second"])
_CORRECT_SECOND_BIAS = constexpr(_AT["correct_second_bias"])
_CORRECT_LAST = constexpr(_AT["correct_last"])
_CORRECT_LAST_BIAS, _LIMITS = constexpr(_AT["correct_last_bias"]), constexpr(_AT["limits"])
_BONES = constexpr(layout.BONES)
_WIDTH, _HEAD, _HIDDEN = constexpr(layout.WIDTH), constexpr(layout.HEAD), constexpr(layout.HIDDEN)
_KEY = constexpr(layout.ANCHOR_KEY)
_SHIFT = layout.hand(0, 0, 0).at
_PROJECTION, _RELATIVE, _FRAME, _AXIS, _START, _DIRECTION, _LENGTH, _FLOOR, _FIRST_BIAS, _PIXELS = (
    constexpr(_SHIFT[name] - layout.WIDTH)
    for name in (
        *("projection", "relative", "frame", "axis", "start", "direction", "length"),
        "floor",
        *("first_bias", "pixels"),
    )
)
_SECOND_BIAS_OF_BONE = constexpr(_SHIFT["second_bias"] - layout.WIDTH)
# Anchors attended to at once.
_PART = constexpr(64)


@triton.jit
def _row(at, columns: constexpr):
    """(1, columns) floats."""
    return tl.load(at + tl.arange(0, columns))[None, :]


@triton.jit
def _matrix(at, rows: constexpr, columns: constexpr, stride: constexpr):
    """(rows, columns) floats whose rows begin `stride` apart."""
    return tl.load(at + tl.arange(0, rows)[:, None] * stride + tl.arange(0, columns)[None, :])


@triton.jit
def _leaky(x):
    return tl.where(x > 0, x, 0.1 * x)


@triton.jit
def _normalised(x, columns: constexpr):
    """Rows without mean, of variance one."""
    centred = x - (tl.sum(x, 1) / columns)[:, None]
    return centred * (1.0 / tl.sqrt(tl.sum(centred * centred, 1) / columns + 1e-6))[:, None]


@triton.jit
def _turned(at, x, y, z):
    """One coordinate of a map (3 factors) of points."""
    return tl.load(at) * x + tl.load(at + 1) * y + tl.load(at + 2) * z


@triton.jit
def _feature(pixels, column, row, share, width: constexpr):
    """(P, _WIDTH) features of pixels, weighted."""
    number = row * width + column
    channels = tl.arange(0, _WIDTH)[None, :]
    return share[:, None] * tl.load(pixels + number[:, None] * _WIDTH + channels)


@triton.jit
def _sampled(pixels, across, down, height: constexpr, width: constexpr):
    """(P, _WIDTH) bilinear image features at crop positions in [-1, 1]; the border goes on."""
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
    projection = geometry + _PROJECTION
    depth = tl.maximum(_turned(projection + 8, x, y, z) + tl.load(projection + 11), 1e-3)
    across = (_turned(projection, x, y, z) + tl.load(projection + 3)) / depth
    down = (_turned(projection + 4, x, y, z) + tl.load(projection + 7)) / depth
    size = tl.load(net + _IMAGE_SIZE)
    across = tl.minimum(tl.maximum((2.0 * across + 1.0) / size - 1.0, -2.0), 2.0)
    down = tl.minimum(tl.maximum((2.0 * down + 1.0) / size - 1.0, -2.0), 2.0)
    a = _sampled(geometry + _PIXELS, across, down, HEIGHT, COLUMNS) + _row(hand, _WIDTH)
    for axis in tl.static_range(3):
        value = _turned(geometry + _RELATIVE + 3 * axis, x, y, z)
        a += value[:, None] * _row(net + _PLACE + axis * _WIDTH, _WIDTH)
    a += across[:, None] * _row(net + _PLACE + 3 * _WIDTH, _WIDTH)
    a += down[:, None] * _row(net + _PLACE + 4 * _WIDTH, _WIDTH)
    a = tl.maximum(a, 0.0)
    second = tl.dot(a, _matrix(net + _SECOND, _WIDTH, _WIDTH, _WIDTH), input_precision="ieee")
    return second + _row(net + _SECOND_BIAS, _WIDTH)


@triton.jit
def _projected(net, y, column, PRECISION: constexpr):
    """(P, 16) of a query, key or value's head, whose columns begin at `column`."""
    weight = _matrix(net + _ATTENTION + column, _WIDTH, _HEAD, 3 * _WIDTH)
    made = tl.dot(y, weight, input_precision=PRECISION)
    return made + _row(net + _ATTENTION_BIAS + column, _HEAD)


@triton.jit
def _attended(net, hand, y, head, TOKENS: constexpr, PAD: constexpr, PRECISION: constexpr):
    """(P, 16) what a head reads of the image's tokens and of the points themselves."""
    query = _projected(net, y, head * _HEAD, PRECISION)
    own_key = _projected(net, y, _WIDTH + head * _HEAD, PRECISION)
    own_value = _projected(net, y, 2 * _WIDTH + head * _HEAD, PRECISION)
    token, channel = tl.arange(0, PAD), tl.arange(0, _HEAD)
    there = token < TOKENS
    keys = hand + _WIDTH + head * _HEAD * TOKENS
    values = hand + _WIDTH + _WIDTH * TOKENS + head * _HEAD * TOKENS
    key = tl.load(keys + channel[:, None] * TOKENS + token[None, :], mask=there[None, :], other=0.0)
    value = tl.load(
        values + token[:, None] * _HEAD + channel[None, :], mask=there[:, None], other=0.0
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
def _codes(
    net, hand, geometry, x, y, z,
    TOKENS: constexpr, PAD: constexpr, HEIGHT: constexpr, COLUMNS: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """(P, 32) image codes of points."""
    b = _query(net, hand, geometry, x, y, z, HEIGHT, COLUMNS)
    normalised = _normalised(b, _WIDTH)
    for head in range(2):
        read = _attended(net, hand, normalised, head, TOKENS, PAD, PRECISION)
        weight = _matrix(net + _OUTPUT + head * _HEAD * _WIDTH, _HEAD, _WIDTH, _WIDTH)
        b += tl.dot(read, weight, input_precision=PRECISION)
    b += _row(net + _OUTPUT_BIAS, _WIDTH)
    normalised = _normalised(b, _WIDTH)
    weight = _matrix(net + _FEED_FIRST, _WIDTH, _WIDTH, _WIDTH)
    c = tl.dot(normalised, weight, input_precision=PRECISION) + _row(net + _FEED_FIRST_BIAS, _WIDTH)
    weight = _matrix(net + _FEED_SECOND, _WIDTH, _WIDTH, _WIDTH)
    b += tl.dot(tl.maximum(c, 0.0), weight, input_precision=PRECISION)
    return b + _row(net + _FEED_SECOND_BIAS, _WIDTH)


@triton.jit
def _nearest(net, geometry, x, y, z):
    """(P, 32) 1 for the bones whose capsules are nearest, else 0."""
    bone = tl.arange(0, 32)
    real = bone < _BONES
    axis, start = geometry + _AXIS + 4 * bone, geometry + _START + 3 * bone
    reached = tl.load(axis + 3, mask=real, other=0.0)[None, :] + 0.0 * x[:, None]
    reached += x[:, None] * tl.load(axis, mask=real, other=0.0)[None, :]
    reached += y[:, None] * tl.load(axis + 1, mask=real, other=0.0)[None, :]
    reached += z[:, None] * tl.load(axis + 2, mask=real, other=0.0)[None, :]
    dx = x[:, None] - tl.load(start, mask=real, other=0.0)[None, :]
    dy = y[:, None] - tl.load(start + 1, mask=real, other=0.0)[None, :]
    dz = z[:, None] - tl.load(start + 2, mask=real, other=0.0)[None, :]
    length = tl.load(geometry + _LENGTH + bone, mask=real, other=0.0)[None, :]
    along = tl.minimum(tl.maximum(reached, 0.0), length)
    square = dx * dx + dy * dy + dz * dz + along * (along - 2.0 * reached)
    depth = tl.load(net + _RADIUS + bone, mask=real, other=0.0)[None, :]
    distance = tl.sqrt(tl.maximum(square, 0.0))
    floor = tl.load(geometry + _FLOOR + 2 * bone, mask=real, other=0.0)[None, :]
    # A thin bone in the midst of thick ones counts where it is the least that there is.
    depth += tl.where(distance < floor, 0.1, 0.0) - distance
    depth = tl.where(real[None, :], depth, -1e30)
    chosen = tl.zeros_like(depth)
    for _ in tl.static_range(4):
        best = (bone[None, :] == tl.argmax(depth, 1)[:, None]).to(tl.float32)
        chosen += best
        depth = tl.where(best > 0, -1e30, depth)
    return chosen


@triton.jit
def _sine_cosine(x):
    """Of angles of some turns, to float32's last digits but one; libdevice's are much longer."""
    quarter = tl.floor(x * 0.6366197723675814 + 0.5)
    r = x - quarter * 1.5707963705062866 + quarter * 4.371139e-8
    q = r * r
    sine = r + r * q * (-0.16666654611 + q * (0.0083321608736 - q * 0.00019515295891))
    cosine = 1.0 - 0.5 * q + q * q * (0.041666645683 + q * (-0.0013887316255 + q * 2.4433157e-5))
    turn = quarter.to(tl.int32) & 3
    odd = (turn & 1) > 0
    found_sine, found_cosine = tl.where(odd, cosine, sine), tl.where(odd, sine, cosine)
    found_sine = tl.where(turn > 1, -found_sine, found_sine)
    return found_sine, tl.where((turn == 1) | (turn == 2), -found_cosine, found_cosine)


@triton.jit
def _bone_depth(net, geometry, bone, x, y, z, codes, PRECISION: constexpr):
    """(P,) depth in one bone, millimetres."""
    frame, axis = geometry + _FRAME + 12 * bone, geometry + _AXIS + 4 * bone
    direction = geometry + _DIRECTION + 3 * bone
    length = tl.load(geometry + _LENGTH + bone)
    along = _turned(axis, x, y, z) + tl.load(axis + 3)
    along = tl.minimum(tl.maximum(along, 0.0), length)
    first = net + _BONE_FIRST + bone * 11 * _WIDTH
    a = _row(geometry + _FIRST_BIAS + bone * _WIDTH, _WIDTH) + 0.0 * x[:, None]
    square = 1e-12 + 0.0 * x
    frequency = tl.load(net + _FREQUENCY)
    for i in range(3):
        local = _turned(frame + 3 * i, x, y, z) + tl.load(frame + 9 + i)
        off = local - along * tl.load(direction + i)
        square += off * off
        scaled = local * 50.0
        a += scaled[:, None] * _row(first + i * _WIDTH, _WIDTH)
        sine, cosine = _sine_cosine(scaled * frequency)
        a += sine[:, None] * _row(first + (5 + i) * _WIDTH, _WIDTH)
        a += cosine[:, None] * _row(first + (8 + i) * _WIDTH, _WIDTH)
    distance = tl.sqrt(square)
    a += (distance * 50.0)[:, None] * _row(first + 3 * _WIDTH, _WIDTH)
    along = along / tl.maximum(length, 1e-4)
    a += along[:, None] * _row(first + 4 * _WIDTH, _WIDTH)
    a = _leaky(a)
    weight = _matrix(net + _BONE_SECOND + bone * _WIDTH * _WIDTH, _WIDTH, _WIDTH, _WIDTH)
    a = tl.dot(a, weight, input_precision=PRECISION)
    a = _leaky(a + _row(geometry + _SECOND_BIAS_OF_BONE + bone * _WIDTH, _WIDTH))
    third = net + _BONE_THIRD + bone * 2 * _WIDTH * _WIDTH
    a = tl.dot(a, _matrix(third, _WIDTH, _WIDTH, _WIDTH), input_precision=PRECISION)
    weight = _matrix(third + _WIDTH * _WIDTH, _WIDTH, _WIDTH, _WIDTH)
    a += tl.dot(codes, weight, input_precision=PRECISION)
    a = _leaky(a + _row(net + _BONE_THIRD_BIAS + bone * _WIDTH, _WIDTH))
    weight = _matrix(net + _BONE_FOURTH + bone * _WIDTH * _WIDTH, _WIDTH, _WIDTH, _WIDTH)
    a = tl.dot(a, weight, input_precision=PRECISION)
    a = _leaky(a + _row(net + _BONE_FOURTH_BIAS + bone * _WIDTH, _WIDTH))
    flesh = tl.sum(a * _row(net + _BONE_LAST + bone * _WIDTH, _WIDTH), 1)
    depth = (tl.load(net + _RADIUS + bone) - distance) * 1000.0 + flesh
    floor = tl.load(geometry + _FLOOR + 2 * bone)
    taper = tl.load(geometry + _FLOOR + 2 * bone + 1) - floor
    return tl.maximum(depth, (floor + taper * along - distance) * 1000.0)


@triton.jit
def _initial(
    net, hand, x, y, z,
    TOKENS: constexpr, PAD: constexpr, HEIGHT: constexpr, COLUMNS: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """(P,) initial logits of points in their hand's palm frame: the union of the nearest bones."""
    geometry = hand + _WIDTH + 2 * _WIDTH * TOKENS
    codes = _codes(net, hand, geometry, x, y, z, TOKENS, PAD, HEIGHT, COLUMNS, PRECISION)
    chosen = _nearest(net, geometry, x, y, z)
    number = tl.arange(0, 32)[None, :]
    most, total = 0.0 * x - 1e30, 0.0 * x
    for bone in range(_BONES):
        near = tl.sum(tl.where(number == bone, chosen, 0.0), 1)
        if tl.max(near, 0) > 0:
            depth = _bone_depth(net, geometry, bone, x, y, z, codes, PRECISION)
            depth = tl.where(near > 0, depth, -1e30)
            higher = tl.maximum(most, depth)
            total = total * tl.exp(most - higher) + tl.where(near > 0, tl.exp(depth - higher), 0.0)
            most = higher
    return most + tl.log(total)


@triton.jit
def _head_of_anchors(net, anchors, hidden, x, y, z, head, COUNT: constexpr, PRECISION: constexpr):
    """Query, attended values (P, 16) each, and mean place (P,) x 3 of the anchors around points."""
    weight = _matrix(net + _QUERY_SECOND + head * _HEAD, _WIDTH, _HEAD, _WIDTH)
    query = tl.dot(hidden, weight, input_precision=PRECISION)
    query += _row(net + _QUERY_SECOND_BIAS + head * _HEAD, _HEAD)
    keys = anchors + head * _KEY * COUNT
    values = anchors + 2 * _KEY * COUNT + head * _KEY * COUNT
    channel = tl.arange(0, _HEAD)
    most, total = 0.0 * x - 1e30, 0.0 * x
    read = tl.zeros_like(query)
    at_x, at_y, at_z = 0.0 * x, 0.0 * x, 0.0 * x
    for start in range(0, COUNT, _PART):
        number = start + tl.arange(0, _PART)
        there = number < COUNT
        spot = keys + _HEAD * COUNT + number
        key = tl.load(keys + channel[:, None] * COUNT + number[None, :], there[None, :], 0.0)
        scores = tl.dot(query * 0.25, key, input_precision=PRECISION)
        scores += x[:, None] * tl.load(spot, there, 0.0)[None, :]
        scores += y[:, None] * tl.load(spot + COUNT, there, 0.0)[None, :]
        scores += z[:, None] * tl.load(spot + 2 * COUNT, there, 0.0)[None, :]
        scores += tl.load(spot + 3 * COUNT, there, 0.0)[None, :]
        scores = tl.where(there[None, :], scores, -1e30)
        higher = tl.maximum(most, tl.max(scores, 1))
        weights, kept = tl.exp(scores - higher[:, None]), tl.exp(most - higher)
        row = values + number * _KEY
        value = tl.load(row[:, None] + channel[None, :], there[:, None], 0.0)
        read = read * kept[:, None] + tl.dot(weights, value, input_precision=PRECISION)
        at_x = at_x * kept + tl.sum(weights * tl.load(row + _HEAD, there, 0.0)[None, :], 1)
        at_y = at_y * kept + tl.sum(weights * tl.load(row + _HEAD + 1, there, 0.0)[None, :], 1)
        at_z = at_z * kept + tl.sum(weights * tl.load(row + _HEAD + 2, there, 0.0)[None, :], 1)
        total = total * kept + tl.sum(weights, 1)
        most = higher
    scale = 1.0 / total
    return query, read * scale[:, None], at_x * scale, at_y * scale, at_z * scale


@triton.jit
def _corrected(net, anchors, share, depth, x, y, z, COUNT: constexpr, PRECISION: constexpr):
    """(P,) depths with their corrections."""
    px, py, pz, scaled = 10.0 * x, 10.0 * y, 10.0 * z, 0.25 * depth
    hidden = px[:, None] * _row(net + _QUERY_FIRST, _WIDTH)
    hidden += py[:, None] * _row(net + _QUERY_FIRST + _WIDTH, _WIDTH)
    hidden += pz[:, None] * _row(net + _QUERY_FIRST + 2 * _WIDTH, _WIDTH)
    hidden += scaled[:, None] * _row(net + _QUERY_FIRST + 3 * _WIDTH, _WIDTH)
    hidden = tl.maximum(hidden + _row(net + _QUERY_FIRST_BIAS, _WIDTH), 0.0)
    first = net + _CORRECT_FIRST
    a = scaled[:, None] * _row(first + 70 * _HIDDEN, _HIDDEN)
    a += _row(net + _CORRECT_FIRST_BIAS, _HIDDEN)
    for head in range(2):
        query, read, at_x, at_y, at_z = _head_of_anchors(
            net, anchors, hidden, x, y, z, head, COUNT, PRECISION
        )
        weight = _matrix(first + head * _HEAD * _HIDDEN, _HEAD, _HIDDEN, _HIDDEN)
        a += tl.dot(query, weight, input_precision=PRECISION)
        weight = _matrix(first + (_WIDTH + head * _HEAD) * _HIDDEN, _HEAD, _HIDDEN, _HIDDEN)
        a += tl.dot(read, weight, input_precision=PRECISION)
        offset = first + (2 * _WIDTH + 3 * head) * _HIDDEN
        a += (10.0 * (px - at_x))[:, None] * _row(offset, _HIDDEN)
        a += (10.0 * (py - at_y))[:, None] * _row(offset + _HIDDEN, _HIDDEN)
        a += (10.0 * (pz - at_z))[:, None] * _row(offset + 2 * _HIDDEN, _HIDDEN)
    weight = _matrix(net + _CORRECT_SECOND, _HIDDEN, _HIDDEN, _HIDDEN)
    a = tl.dot(_leaky(a), weight, input_precision=PRECISION)
    a = _leaky(a + _row(net + _CORRECT_SECOND_BIAS, _HIDDEN))
    found = tl.sum(a * _row(net + _CORRECT_LAST, _HIDDEN), 1) + tl.load(net + _CORRECT_LAST_BIAS)
    power = tl.exp(tl.minimum(tl.maximum(2.0 * found, -60.0), 60.0))
    edge = depth / tl.load(net + _LIMITS)
    fade = tl.maximum(1.0 - edge * edge, 0.0)
    return depth + fade * share * tl.load(net + _LIMITS + 1) * ((power - 1.0) / (power + 1.0))


@triton.jit
def _in_band(net, anchors, share, depth, needed, x, y, z, COUNT: constexpr, PRECISION: constexpr):
    """(P,) depths, corrected where they are in the band and it is needed."""
    band = tl.where(share > 0, tl.load(net + _LIMITS), 0.0)
    wanted = needed & (tl.abs(depth) < band)
    if tl.max(wanted.to(tl.int32), 0) > 0:
        corrected = _corrected(net, anchors, share, depth, x, y, z, COUNT, PRECISION)
        depth = tl.where(wanted, corrected, depth)
    return depth


@triton.jit
def _near_other(anchors, x, y, z, near, COUNT: constexpr):
    """(P,) bool: is one of the other hand's anchors near?"""
    their: constexpr = COUNT // 2
    least = 0.0 * x + 1e30
    for start in range(0, their, _PART):
        number = start + tl.arange(0, _PART)
        at = anchors + 4 * _KEY * COUNT + 3 * number
        there = number < their
        dx = x[:, None] - tl.load(at, there, 1e3)[None, :]
        dy = y[:, None] - tl.load(at + 1, there, 1e3)[None, :]
        dz = z[:, None] - tl.load(at + 2, there, 1e3)[None, :]
        least = tl.minimum(least, tl.min(dx * dx + dy * dy + dz * dz, 1))
    return least < near * near


@triton.jit
def logits_kernel(
    points, begin, end, numbers, net, hands, all_anchors, out,
    LISTED: constexpr, FLOATS: constexpr, ANCHOR_FLOATS: constexpr, COUNT: constexpr,
    TURNS: constexpr, TOKENS: constexpr, PAD: constexpr, HEIGHT: constexpr, COLUMNS: constexpr,
    TILE: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Logits of a list of points (`points.PointList`).

    numbers: of the LISTED hands, among those of the frame. hands: FLOATS each. all_anchors:
    ANCHOR_FLOATS each, COUNT anchors; COUNT is 0 for initial logits. TURNS: 2 for two hands that
    share out what both claim. PAD: TOKENS up to a power of two.
    """
    first = tl.program_id(0) * TILE
    slot = first + tl.arange(0, TILE)
    number, last = -1, 0
    for listed in range(LISTED):
        low, high = tl.load(begin + listed).to(tl.int32), tl.load(end + listed).to(tl.int32)
        mine = (first >= low) & (first < high)
        number = tl.where(mine, tl.load(numbers + listed).to(tl.int32), number)
        last = tl.where(mine, high, last)
    if number >= 0:
        used = slot < last
        x = tl.load(points + 3 * slot, used, 0.0)
        y = tl.load(points + 3 * slot + 1, used, 0.0)
        z = tl.load(points + 3 * slot + 2, used, 0.0)
        own, active = 0.0 * x, used
        largest, gap = tl.load(net + _LIMITS + 1), tl.load(net + _LIMITS + 2)
        # First in the own hand, then what both hands claim in the other one.
        for turn in range(TURNS):
            if tl.max(active.to(tl.int32), 0) > 0:
                hand = hands + number * FLOATS
                depth = _initial(net, hand, x, y, z, TOKENS, PAD, HEIGHT, COLUMNS, PRECISION)
                if COUNT > 0:
                    anchors = all_anchors + number * ANCHOR_FLOATS
                    share = tl.load(anchors + ANCHOR_FLOATS - 1)
                    reach = tl.where(turn == 0, 1e30, largest)
                    needed = active & (depth + reach > -own - 2.0 * gap)
                    depth = _in_band(net, anchors, share, depth, needed, x, y, z, COUNT, PRECISION)
                if turn == 0:
                    own = depth
                else:
                    left = tl.minimum(own, (own - depth) / 2.0 - gap)
                    own = tl.where(active, left, own)
                if TURNS > 1:
                    anchors = all_anchors + number * ANCHOR_FLOATS
                    near = tl.load(net + _LIMITS + 4)
                    active = active & (own > -tl.load(net + _LIMITS + 3))
                    active = active & _near_other(anchors, x, y, z, near, COUNT)
                    other = anchors + ANCHOR_FLOATS - 13
                    u = _turned(other, x, y, z) + tl.load(other + 3)
                    v = _turned(other + 4, x, y, z) + tl.load(other + 7)
                    z = _turned(other + 8, x, y, z) + tl.load(other + 11)
                    x, y = u, v
                    number = 1 - number
        tl.store(out + slot, own, used)
