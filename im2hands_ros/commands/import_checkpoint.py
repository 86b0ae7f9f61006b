"""Convert published Im2Hands checkpoints (PyTorch) to one weights file (safetensors).

Reads init_occ.pt, ref_occ.pt, kpts_ref.pt, halo_baseline.pt or intaghand_baseline.pth; a file's
content decides its kind, not its name. Two files, init_occ or ref_occ and kpts_ref, become one
weights file with both networks. Writes OUT with our names of the tensors and a record of where
they came from. Nothing in a file is executed; a file with anything but tensors and numbers in it
is refused. Names that are missing, unexpected or of the wrong shape are listed, and then nothing
is written.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.paper.networks import in_sections, start_refinement
from im2hands_ros.networks.paper.official import (
    LAYOUTS,
    ConvertedCheckpoint,
    convert_file,
    read_official,
)

_LISTED = 8


@dataclass(frozen=True)
class _Part:
    """A published file: its kind, a key of ``LAYOUTS``, and our tensors of it."""

    path: Path
    kind: str
    result: ConvertedCheckpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `im2hands import-checkpoint`."""
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="published .pt or .pth files"
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help="safetensors file to write"
    )
    parser.add_argument(
        "--start-refinement",
        type=int,
        metavar="SEED",
        help="FILE is init_occ: write the refinement network that training begins with, this one "
        "in it and the rest drawn from the seed",
    )


def run(args: argparse.Namespace) -> int:
    """Convert the files; raise ValueError with what does not fit."""
    if args.out.suffix != ".safetensors":
        raise ValueError(f"output {args.out} is no .safetensors file: choose another name")
    parts = [_converted(path) for path in args.files]
    tensors, record = _together(parts)
    if args.start_refinement is not None:
        tensors, record = _started(parts, record, args.start_refinement)
    checkpoints.write(tensors, args.out, record)
    for part in parts:
        for line in _summary(part.result):
            print(line)
    print(f"wrote {len(tensors)} tensors to {args.out}")
    return 0


def _converted(path: Path) -> _Part:
    kind, tensors = read_official(path)
    result = convert_file(kind, tensors)
    print(f"{path.name}: {kind}, {len(tensors)} tensors")
    _refuse_what_does_not_fit(path, result)
    return _Part(path, kind, result)


def _together(parts: list[_Part]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and record of one file for all parts. Raises ValueError unless they belong so."""
    first = parts[0]
    if len(parts) == 1:
        return first.result.tensors, _record(first)
    occupancy, *others = sorted(parts, key=lambda part: part.kind == "kpts_ref")
    kinds = (occupancy.kind, *(part.kind for part in others))
    if kinds not in (("init_occ", "kpts_ref"), ("ref_occ", "kpts_ref")):
        raise ValueError(
            f"{', '.join(part.kind for part in parts)} are no two networks of one weights file: "
            "give init_occ or ref_occ, and kpts_ref"
        )
    tensors = in_sections({part.kind: part.result.tensors for part in (occupancy, *others)})
    return tensors, _record(occupancy) | {"keypoints": _record(others[0])}


def _started(
    parts: list[_Part], record: dict[str, Any], seed: int
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The refinement network that training begins with; no weights file to reconstruct with."""
    kinds = [part.kind for part in parts]
    if kinds != ["init_occ"]:
        raise ValueError(f"refinement starts from init_occ alone: this is {', '.join(kinds)}")
    record = record | {"network": "ref_occ", "complete": False, "started_from_seed": seed}
    return start_refinement(parts[0].result.tensors, seed), record


def _refuse_what_does_not_fit(path: Path, result: ConvertedCheckpoint) -> None:
    problems = result.problems
    if not problems:
        return
    for problem in problems:
        print(problem)
    more = f" and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    listed = "; ".join(problems[:_LISTED])
    raise ValueError(f"{path} does not fit: {listed}{more}; nothing was written")


def _summary(result: ConvertedCheckpoint) -> list[str]:
    kinds = {
        "without influence on any result, dropped": result.dropped,
        "of other networks, ignored": result.ignored,
        "given zero image columns": result.widened,
    }
    return [
        f"{len(names)} {what}: {', '.join(sorted(names)[:_LISTED])}"
        + (", …" if len(names) > _LISTED else "")
        for what, names in kinds.items()
        if names
    ]


def _record(part: _Part) -> dict[str, Any]:
    layout = LAYOUTS[part.kind]
    source = {"kind": part.kind, "file": part.path.name, "sha256": checkpoints.sha256(part.path)}
    return {
        "preset": "paper",
        "network": layout.network,
        "complete": layout.places == ("",),
        "source": source,
        "dropped": sorted(part.result.dropped),
        "widened": sorted(part.result.widened),
    }
