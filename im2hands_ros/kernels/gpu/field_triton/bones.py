"""Depth of points in the bones nearest to them, and their union: the initial logits."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import constexpr

from im2hands_ros.kernels.gpu.field_triton.codes import (
    codes_of,
)
from im2hands_ros.kernels.gpu.field_triton.rows import (
    AXIS,
    BONE_FIRST,
    BONE_FOURTH,
    BONE_FOURTH_BIAS,
    BONE_LAST,
    BONE_SECOND,
    BONE_THIRD,
    BONE_THIRD_BIAS,
    BONES,
    DIRECTION,
    FIRST_BIAS,
    FLOOR,
    FRAME,
    FREQUENCY,
    LENGTH,
    RADIUS,
    SECOND_BIAS_OF_BONE,
    START,
    WIDTH,
    leaky,
    load_matrix,
    load_row,
    turned,
)


@triton.jit
def _nearest(net, geometry, x, y, z):
    """(P, 32) 1 for the bones whose capsules are nearest, else 0."""
    bone = tl.arange(0, 32)
    real = bone < BONES
    axis, start = geometry + AXIS + 4 * bone, geometry + START + 3 * bone
    reached = tl.load(axis + 3, mask=real, other=0.0)[None, :] + 0.0 * x[:, None]
    reached += x[:, None] * tl.load(axis, mask=real, other=0.0)[None, :]
    reached += y[:, None] * tl.load(axis + 1, mask=real, other=0.0)[None, :]
    reached += z[:, None] * tl.load(axis + 2, mask=real, other=0.0)[None, :]
    dx = x[:, None] - tl.load(start, mask=real, other=0.0)[None, :]
    dy = y[:, None] - tl.load(start + 1, mask=real, other=0.0)[None, :]
    dz = z[:, None] - tl.load(start + 2, mask=real, other=0.0)[None, :]
    length = tl.load(geometry + LENGTH + bone, mask=real, other=0.0)[None, :]
    along = tl.minimum(tl.maximum(reached, 0.0), length)
    square = dx * dx + dy * dy + dz * dz + along * (along - 2.0 * reached)
    depth = tl.load(net + RADIUS + bone, mask=real, other=0.0)[None, :]
    distance = tl.sqrt(tl.maximum(square, 0.0))
    floor = tl.load(geometry + FLOOR + 2 * bone, mask=real, other=0.0)[None, :]
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
    frame, axis = geometry + FRAME + 12 * bone, geometry + AXIS + 4 * bone
    direction = geometry + DIRECTION + 3 * bone
    length = tl.load(geometry + LENGTH + bone)
    along = turned(axis, x, y, z) + tl.load(axis + 3)
    along = tl.minimum(tl.maximum(along, 0.0), length)
    first = net + BONE_FIRST + bone * 11 * WIDTH
    a = load_row(geometry + FIRST_BIAS + bone * WIDTH, WIDTH) + 0.0 * x[:, None]
    square = 1e-12 + 0.0 * x
    frequency = tl.load(net + FREQUENCY)
    for i in range(3):
        local = turned(frame + 3 * i, x, y, z) + tl.load(frame + 9 + i)
        off = local - along * tl.load(direction + i)
        square += off * off
        scaled = local * 50.0
        a += scaled[:, None] * load_row(first + i * WIDTH, WIDTH)
        sine, cosine = _sine_cosine(scaled * frequency)
        a += sine[:, None] * load_row(first + (5 + i) * WIDTH, WIDTH)
        a += cosine[:, None] * load_row(first + (8 + i) * WIDTH, WIDTH)
    distance = tl.sqrt(square)
    a += (distance * 50.0)[:, None] * load_row(first + 3 * WIDTH, WIDTH)
    along = along / tl.maximum(length, 1e-4)
    a += along[:, None] * load_row(first + 4 * WIDTH, WIDTH)
    a = leaky(a)
    weight = load_matrix(net + BONE_SECOND + bone * WIDTH * WIDTH, WIDTH, WIDTH, WIDTH)
    a = tl.dot(a, weight, input_precision=PRECISION)
    a = leaky(a + load_row(geometry + SECOND_BIAS_OF_BONE + bone * WIDTH, WIDTH))
    third = net + BONE_THIRD + bone * 2 * WIDTH * WIDTH
    a = tl.dot(a, load_matrix(third, WIDTH, WIDTH, WIDTH), input_precision=PRECISION)
    weight = load_matrix(third + WIDTH * WIDTH, WIDTH, WIDTH, WIDTH)
    a += tl.dot(codes, weight, input_precision=PRECISION)
    a = leaky(a + load_row(net + BONE_THIRD_BIAS + bone * WIDTH, WIDTH))
    weight = load_matrix(net + BONE_FOURTH + bone * WIDTH * WIDTH, WIDTH, WIDTH, WIDTH)
    a = tl.dot(a, weight, input_precision=PRECISION)
    a = leaky(a + load_row(net + BONE_FOURTH_BIAS + bone * WIDTH, WIDTH))
    flesh = tl.sum(a * load_row(net + BONE_LAST + bone * WIDTH, WIDTH), 1)
    depth = (tl.load(net + RADIUS + bone) - distance) * 1000.0 + flesh
    floor = tl.load(geometry + FLOOR + 2 * bone)
    taper = tl.load(geometry + FLOOR + 2 * bone + 1) - floor
    return tl.maximum(depth, (floor + taper * along - distance) * 1000.0)


@triton.jit
def initial_logits(
    net, hand, x, y, z,
    TOKENS: constexpr, PAD: constexpr, HEIGHT: constexpr, COLUMNS: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """(P,) initial logits of points in their hand's palm frame: the union of the nearest bones."""
    geometry = hand + WIDTH + 2 * WIDTH * TOKENS
    codes = codes_of(net, hand, geometry, x, y, z, TOKENS, PAD, HEIGHT, COLUMNS, PRECISION)
    chosen = _nearest(net, geometry, x, y, z)
    number = tl.arange(0, 32)[None, :]
    most, total = 0.0 * x - 1e30, 0.0 * x
    for bone in range(BONES):
        near = tl.sum(tl.where(number == bone, chosen, 0.0), 1)
        if tl.max(near, 0) > 0:
            depth = _bone_depth(net, geometry, bone, x, y, z, codes, PRECISION)
            depth = tl.where(near > 0, depth, -1e30)
            higher = tl.maximum(most, depth)
            total = total * tl.exp(most - higher) + tl.where(near > 0, tl.exp(depth - higher), 0.0)
            most = higher
    return most + tl.log(total)
