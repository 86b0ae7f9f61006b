"""Where a frame's arithmetic is: calls, points, floating-point operations, and how much of what the
processor can do is reached.

Operations are counted in torch, on the same weights without compiled kernels: products and
convolutions, a multiplication and an addition as two. Both are so measured by the same work;
kernels that leave some of it out can seem to do more than the processor's peak.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from im2hands_ros.pipeline import Im2Hands
from im2hands_ros.scene import Scene
from im2hands_ros.synthetic.sample import Sample

_REPEATS = 3
_SIDE = 1024  # of the matrices whose product is the peak
Row = dict[str, Any]


def profile(model: Im2Hands, twin: Im2Hands, sample: Sample, resolution: int) -> Row:
    """Of one frame: what is done once (``frame``), and the query points of its ``search``.

    Args:
        model: what is timed. twin: the same weights without compiled kernels, for the counts.
    """
    peak = matrix_peak(model.device)
    sample.image  # noqa: B018 - decoded before the clock starts
    rows = {"frame": _once(model, twin, sample), "search": _search(model, twin, sample, resolution)}
    for row in rows.values():
        row["gflop_per_s"] = round(row["mflop"] / row["ms"], 1)
        row["share_of_peak"] = round(row["gflop_per_s"] / peak, 3)
    return {"matrix_peak_gflop_per_s": round(peak, 1), **rows}


def line(resolution: int, row: Row) -> str:
    """The profile in words."""
    parts = [
        f"{name} {part['ms']} ms, {part['torch_calls']} torch calls, {part['mflop']} MFLOP, "
        f"{part['gflop_per_s']} GFLOP/s ({part['share_of_peak']:.0%})"
        for name, part in row.items()
        if isinstance(part, dict)
    ]
    points = f"{row['search']['points']} points of {row['search']['kflop_per_point']} kFLOP"
    peak = f"peak {row['matrix_peak_gflop_per_s']} GFLOP/s"
    return f"{resolution}³ profile: {'; '.join(parts)}; {points}; {peak}"


def matrix_peak(device: torch.device, side: int = _SIDE) -> float:
    """GFLOP/s of a float32 matrix product, the best of several, with torch's threads."""
    a, b = torch.rand(2, side, side, device=device)
    fastest = min(_milliseconds(lambda: a @ b, device) for _ in range(3 * _REPEATS))
    return 2 * side**3 / fastest / 1e6


def _once(model: Im2Hands, twin: Im2Hands, sample: Sample) -> Row:
    """All before the query points: from the image to fields of both hands."""
    flops = _operations(lambda: _fields(twin, sample))
    calls = _calls(lambda: _fields(model, sample))
    times = [_milliseconds(lambda: _fields(model, sample), model.device) for _ in range(_REPEATS)]
    return {
        "ms": round(float(np.median(times)), 1),
        "torch_calls": calls,
        "mflop": round(flops / 1e6, 1),
    }


def _search(model: Im2Hands, twin: Im2Hands, sample: Sample, resolution: int) -> Row:
    """The surface search: its query points, and what they cost."""
    scene, other = _fields(model, sample), _fields(twin, sample)
    evaluated = other.surface_cells(resolution).evaluated
    per_point = _operations(lambda: other.surface_cells(resolution)) / evaluated
    found = scene.surface_cells(resolution)
    points, rounds = found.evaluated, len(found.evaluations)
    calls = _calls(lambda: scene.surface_cells(resolution))
    times = [
        _milliseconds(lambda: scene.surface_cells(resolution), model.device)
        for _ in range(_REPEATS)
    ]
    ms = float(np.median(times))
    return {
        "ms": round(ms, 1),
        "torch_calls": calls,
        "batches": rounds,
        "points": points,
        "us_per_point": round(1e3 * ms / points, 2),
        "kflop_per_point": round(per_point / 1e3, 1),
        "mflop": round(per_point * points / 1e6, 1),
    }


def _fields(model: Im2Hands, sample: Sample) -> Scene:
    """The scene with everything done that its first query needs."""
    scene = model.encode(sample.image, sample.keypoints, sample.camera)
    scene.probabilities(0, np.asarray(scene.keypoints.present[scene.sides[0]][:1], np.float32))
    return scene


def _product(added: Sequence[int], a: Sequence[int], b: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of added + a @ b, by the shapes."""
    return 2 * math.prod(a) * b[-1]


# Products into their first argument, which torch's counter leaves out.
IN_PLACE = {torch.ops.aten.addmm_: _product, torch.ops.aten.baddbmm_: _product}


def _operations(work: Callable[[], Any]) -> int:
    """Floating-point operations of the work."""
    counter = FlopCounterMode(display=False, custom_mapping=IN_PLACE)
    with counter:
        work()
    return counter.get_total_flops()


def _calls(work: Callable[[], Any]) -> int:
    """How often the work calls torch."""
    calls = _Calls()
    with calls:
        work()
    return calls.count


class _Calls(TorchDispatchMode):
    """Counts what torch is called for."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _milliseconds(work: Callable[[], Any], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1e3 * (time.perf_counter() - started)
