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

from im2hands_ros.kernels.gpu.field_triton.anchors import (
    in_band,
    near_other,
)
from im2hands_ros.kernels.gpu.field_triton.bones import (
    initial_logits,
)
from im2hands_ros.kernels.gpu.field_triton.rows import (
    LIMITS,
    turned,
)


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
        largest, gap = tl.load(net + LIMITS + 1), tl.load(net + LIMITS + 2)
        # First in the own hand, then what both hands claim in the other one.
        for turn in range(TURNS):
            if tl.max(active.to(tl.int32), 0) > 0:
                hand = hands + number * FLOATS
                depth = initial_logits(net, hand, x, y, z, TOKENS, PAD, HEIGHT, COLUMNS, PRECISION)
                if COUNT > 0:
                    anchors = all_anchors + number * ANCHOR_FLOATS
                    share = tl.load(anchors + ANCHOR_FLOATS - 1)
                    reach = tl.where(turn == 0, 1e30, largest)
                    needed = active & (depth + reach > -own - 2.0 * gap)
                    depth = in_band(net, anchors, share, depth, needed, x, y, z, COUNT, PRECISION)
                if turn == 0:
                    own = depth
                else:
                    left = tl.minimum(own, (own - depth) / 2.0 - gap)
                    own = tl.where(active, left, own)
                if TURNS > 1:
                    anchors = all_anchors + number * ANCHOR_FLOATS
                    near = tl.load(net + LIMITS + 4)
                    active = active & (own > -tl.load(net + LIMITS + 3))
                    active = active & near_other(anchors, x, y, z, near, COUNT)
                    other = anchors + ANCHOR_FLOATS - 13
                    u = turned(other, x, y, z) + tl.load(other + 3)
                    v = turned(other + 4, x, y, z) + tl.load(other + 7)
                    z = turned(other + 8, x, y, z) + tl.load(other + 11)
                    x, y = u, v
                    number = 1 - number
        tl.store(out + slot, own, used)
