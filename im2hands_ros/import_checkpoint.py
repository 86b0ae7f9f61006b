"""Convert a published Im2Hands checkpoint (PyTorch) to a weights file (safetensors).

Reads one of init_occ.pt, ref_occ.pt, kpts_ref.pt, halo_baseline.pt, intaghand_baseline.pth; its
kind is told by what is in it, not by its name. Writes OUT with our names of its tensors and a
record of where they came from. Nothing in the file is executed; a file with anything but tensors
and numbers in it is refused. Names that are missing, unexpected or of the wrong shape are listed,
and then nothing is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from im2hands_ros.networks import checkpoints
from im2hands_ros.networks.official import LAYOUTS, Conversion, convert_file, read_official

_LISTED = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `im2hands import-checkpoint`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="published .pt or .pth file")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help="safetensors file to write"
    )


def run(args: argparse.Namespace) -> int:
    """Convert the file; raise ValueError with the names that do not fit."""
    if args.out.suffix != ".safetensors":
        raise ValueError(f"output {args.out} is no .safetensors file: choose another name")
    kind, tensors = read_official(args.file)
    result = convert_file(kind, tensors)
    print(f"{args.file.name}: {kind}, {len(tensors)} tensors")
    _refuse_what_does_not_fit(args.file, result)
    checkpoints.write(result.tensors, args.out, _record(args.file, kind, result))
    for line in _summary(result):
        print(line)
    print(f"wrote {len(result.tensors)} tensors to {args.out}")
    return 0


def _refuse_what_does_not_fit(path: Path, result: Conversion) -> None:
    problems = result.problems
    if not problems:
        return
    for problem in problems:
        print(problem)
    more = f" and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    listed = "; ".join(problems[:_LISTED])
    raise ValueError(f"{path} does not fit: {listed}{more}; nothing was written")


def _summary(result: Conversion) -> list[str]:
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


def _record(path: Path, kind: str, result: Conversion) -> dict[str, Any]:
    layout = LAYOUTS[kind]
    return {
        "preset": "paper",
        "network": layout.network,
        "complete": layout.places == ("",),
        "source": {"kind": kind, "file": path.name, "sha256": checkpoints.sha256(path)},
        "dropped": sorted(result.dropped),
        "widened": sorted(result.widened),
    }
