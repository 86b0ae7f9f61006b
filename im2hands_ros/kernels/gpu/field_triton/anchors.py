"""Corrections of depths by the anchors around points."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language import constexpr

from im2hands_ros.kernels.gpu.field_triton.rows import (
    CORRECT_FIRST,
    CORRECT_FIRST_BIAS,
    CORRECT_LAST,
    CORRECT_LAST_BIAS,
    CORRECT_SECOND,
    CORRECT_SECOND_BIAS,
    HEAD,
    HIDDEN,
    KEY,
    LIMITS,
    PART,
    QUERY_FIRST,
    QUERY_FIRST_BIAS,
    QUERY_SECOND,
    QUERY_SECOND_BIAS,
    WIDTH,
    leaky,
    load_matrix,
    load_row,
)


@triton.jit
def _head_of_anchors(net, anchors, hidden, x, y, z, head, COUNT: constexpr, PRECISION: constexpr):
    """Query, attended values (P, 16) each, and mean place (P,) x 3 of the anchors around points."""
    weight = load_matrix(net + QUERY_SECOND + head * HEAD, WIDTH, HEAD, WIDTH)
    query = tl.dot(hidden, weight, input_precision=PRECISION)
    query += load_row(net + QUERY_SECOND_BIAS + head * HEAD, HEAD)
    keys = anchors + head * KEY * COUNT
    values = anchors + 2 * KEY * COUNT + head * KEY * COUNT
    channel = tl.arange(0, HEAD)
    most, total = 0.0 * x - 1e30, 0.0 * x
    read = tl.zeros_like(query)
    at_x, at_y, at_z = 0.0 * x, 0.0 * x, 0.0 * x
    for start in range(0, COUNT, PART):
        number = start + tl.arange(0, PART)
        there = number < COUNT
        spot = keys + HEAD * COUNT + number
        key = tl.load(keys + channel[:, None] * COUNT + number[None, :], there[None, :], 0.0)
        scores = tl.dot(query * 0.25, key, input_precision=PRECISION)
        scores += x[:, None] * tl.load(spot, there, 0.0)[None, :]
        scores += y[:, None] * tl.load(spot + COUNT, there, 0.0)[None, :]
        scores += z[:, None] * tl.load(spot + 2 * COUNT, there, 0.0)[None, :]
        scores += tl.load(spot + 3 * COUNT, there, 0.0)[None, :]
        scores = tl.where(there[None, :], scores, -1e30)
        higher = tl.maximum(most, tl.max(scores, 1))
        weights, kept = tl.exp(scores - higher[:, None]), tl.exp(most - higher)
        row = values + number * KEY
        value = tl.load(row[:, None] + channel[None, :], there[:, None], 0.0)
        read = read * kept[:, None] + tl.dot(weights, value, input_precision=PRECISION)
        at_x = at_x * kept + tl.sum(weights * tl.load(row + HEAD, there, 0.0)[None, :], 1)
        at_y = at_y * kept + tl.sum(weights * tl.load(row + HEAD + 1, there, 0.0)[None, :], 1)
        at_z = at_z * kept + tl.sum(weights * tl.load(row + HEAD + 2, there, 0.0)[None, :], 1)
        total = total * kept + tl.sum(weights, 1)
        most = higher
    scale = 1.0 / total
    return query, read * scale[:, None], at_x * scale, at_y * scale, at_z * scale


@triton.jit
def _corrected(net, anchors, share, depth, x, y, z, COUNT: constexpr, PRECISION: constexpr):
    """(P,) depths with their corrections."""
    px, py, pz, scaled = 10.0 * x, 10.0 * y, 10.0 * z, 0.25 * depth
    hidden = px[:, None] * load_row(net + QUERY_FIRST, WIDTH)
    hidden += py[:, None] * load_row(net + QUERY_FIRST + WIDTH, WIDTH)
    hidden += pz[:, None] * load_row(net + QUERY_FIRST + 2 * WIDTH, WIDTH)
    hidden += scaled[:, None] * load_row(net + QUERY_FIRST + 3 * WIDTH, WIDTH)
    hidden = tl.maximum(hidden + load_row(net + QUERY_FIRST_BIAS, WIDTH), 0.0)
    first = net + CORRECT_FIRST
    a = scaled[:, None] * load_row(first + 70 * HIDDEN, HIDDEN)
    a += load_row(net + CORRECT_FIRST_BIAS, HIDDEN)
    for head in range(2):
        query, read, at_x, at_y, at_z = _head_of_anchors(
            net, anchors, hidden, x, y, z, head, COUNT, PRECISION
        )
        weight = load_matrix(first + head * HEAD * HIDDEN, HEAD, HIDDEN, HIDDEN)
        a += tl.dot(query, weight, input_precision=PRECISION)
        weight = load_matrix(first + (WIDTH + head * HEAD) * HIDDEN, HEAD, HIDDEN, HIDDEN)
        a += tl.dot(read, weight, input_precision=PRECISION)
        offset = first + (2 * WIDTH + 3 * head) * HIDDEN
        a += (10.0 * (px - at_x))[:, None] * load_row(offset, HIDDEN)
        a += (10.0 * (py - at_y))[:, None] * load_row(offset + HIDDEN, HIDDEN)
        a += (10.0 * (pz - at_z))[:, None] * load_row(offset + 2 * HIDDEN, HIDDEN)
    weight = load_matrix(net + CORRECT_SECOND, HIDDEN, HIDDEN, HIDDEN)
    a = tl.dot(leaky(a), weight, input_precision=PRECISION)
    a = leaky(a + load_row(net + CORRECT_SECOND_BIAS, HIDDEN))
    found = tl.sum(a * load_row(net + CORRECT_LAST, HIDDEN), 1) + tl.load(net + CORRECT_LAST_BIAS)
    power = tl.exp(tl.minimum(tl.maximum(2.0 * found, -60.0), 60.0))
    edge = depth / tl.load(net + LIMITS)
    fade = tl.maximum(1.0 - edge * edge, 0.0)
    return depth + fade * share * tl.load(net + LIMITS + 1) * ((power - 1.0) / (power + 1.0))


@triton.jit
def in_band(net, anchors, share, depth, needed, x, y, z, COUNT: constexpr, PRECISION: constexpr):
    """(P,) depths, corrected where they are in the band and it is needed."""
    band = tl.where(share > 0, tl.load(net + LIMITS), 0.0)
    wanted = needed & (tl.abs(depth) < band)
    if tl.max(wanted.to(tl.int32), 0) > 0:
        corrected = _corrected(net, anchors, share, depth, x, y, z, COUNT, PRECISION)
        depth = tl.where(wanted, corrected, depth)
    return depth


@triton.jit
def near_other(anchors, x, y, z, near, COUNT: constexpr):
    """(P,) bool: is one of the other hand's anchors near?"""
    their: constexpr = COUNT // 2
    least = 0.0 * x + 1e30
    for start in range(0, their, PART):
        number = start + tl.arange(0, PART)
        at = anchors + 4 * KEY * COUNT + 3 * number
        there = number < their
        dx = x[:, None] - tl.load(at, there, 1e3)[None, :]
        dy = y[:, None] - tl.load(at + 1, there, 1e3)[None, :]
        dz = z[:, None] - tl.load(at + 2, there, 1e3)[None, :]
        least = tl.minimum(least, tl.min(dx * dx + dy * dy + dz * dz, 1))
    return least < near * near
