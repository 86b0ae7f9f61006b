"""What a report says about itself, so that somebody else can repeat it."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from im2hands_ros.evaluation.inputs import TRACKER_ERRORS
from im2hands_ros.evaluation.runner import BATCH, Plan
from im2hands_ros.evaluation.scoring import PENETRATION_SPACING, SURFACE_SAMPLES, subset_of
from im2hands_ros.pipeline import WEIGHTS, Im2Hands
from im2hands_ros.synthetic.sample import Sample


def settings_of(
    args: argparse.Namespace, plan: Plan, samples: list[Sample], model: Im2Hands | None
) -> dict[str, Any]:
    """Command, counts, seeds and weights of a run; the machine is described beside them."""
    points = {len(p) for s in samples for p in s.points.values() if p is not None}
    return {
        "command": command_of(args),
        "split": args.split,
        "hand": None if args.hand is None else _file(args.hand),
        "scenes": len(samples),
        "scenes_by_subset": dict(Counter(map(subset_of, samples))),
        "seeds": [sample.seed for sample in samples],
        "points_per_hand": sorted(points),
        "near_surface_points_left_out": sorted({plan.near_of(sample) for sample in samples}),
        "surface_samples": SURFACE_SAMPLES,
        "penetration_spacing_m": PENETRATION_SPACING,
        "resolution": args.resolution,
        "scenes_per_fit": BATCH,
        "workers": args.workers,
        "baselines_cached": args.cache is not None,
        "tracker_errors": str(TRACKER_ERRORS) if None in plan.levels else None,
        "weights": None if model is None else weights_of(model, args.weights),
    }


def command_of(args: argparse.Namespace, command: str = "evaluate") -> str:
    """The command line with every option, those that were not given as well."""
    words = ["im2hands", command]
    for name, value in sorted(vars(args).items()):
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def weights_of(model: Im2Hands, path: Path | None) -> dict[str, Any]:
    """The weights' file, its SHA-256, the stages that it holds and the record of their making."""
    path = WEIGHTS / "compact.safetensors" if path is None else path
    return {
        **_file(path),
        "stages": list(model.stages),
        "record": model.record,
    }


def _file(path: Path) -> dict[str, Any]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
