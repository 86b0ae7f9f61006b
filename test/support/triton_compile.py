"""Compiles the Triton kernel for an H100 with no GPU at hand: triton_compile.py PRECISION."""

from __future__ import annotations

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from im2hands_ros.kernels.gpu import layout
from im2hands_ros.kernels.gpu.field_triton import logits_kernel
from im2hands_ros.kernels.gpu.points import TILE

POINTERS = ("points", "net", "hands", "all_anchors", "out")
INDICES = ("begin", "end", "numbers")


def main(precision: str) -> None:
    values = {
        "LISTED": 2,
        "FLOATS": layout.hand(48, 48, 36).size,
        "ANCHOR_FLOATS": layout.anchors(290).size,
        "COUNT": 290,
        "TURNS": 2,
        "TOKENS": 36,
        "PAD": 64,
        "HEIGHT": 48,
        "COLUMNS": 48,
        "TILE": TILE,
        "PRECISION": precision,
    }
    kinds = dict.fromkeys(POINTERS, "*fp32") | dict.fromkeys(INDICES, "*i64")
    names = logits_kernel.arg_names
    source = ASTSource(
        logits_kernel,
        signature=kinds | dict.fromkeys(values, "constexpr"),
        constexprs={(names.index(name),): value for name, value in values.items()},
    )
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 8})
    shared, size = made.metadata.shared, len(made.asm["cubin"])
    assert shared < 100_000 and size < 1_000_000, (shared, size)
    print(f"compiled: {size} bytes, {shared} bytes of shared memory")


if __name__ == "__main__":
    main(sys.argv[1])
