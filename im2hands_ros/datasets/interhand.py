"""InterHand2.6M and MANO, the user's own copies, to shards that train and evaluate read.

  python -m im2hands_ros.datasets.interhand \\
      --root InterHand2.6M --mano mano --split train --out data/train

Reads
  ROOT/annotations/SPLIT/InterHand2.6M_SPLIT_{data,camera,joint_3d,MANO_NeuralAnnot}.json
  ROOT/images/SPLIT/...      as the 5 fps archives of v1.0 unpack
  MANO/MANO_LEFT.pkl, MANO/MANO_RIGHT.pkl      nothing in them is executed
Writes
  OUT/SPLIT_*.npz            shards of pictures of two interacting hands, both with MANO fits
  OUT/SPLIT.json             what they were made from, and what was left out and why

Shards that exist are kept: run it again to go on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from im2hands_ros.command_line import run_alone
from im2hands_ros.datasets.annotations import SPLITS, AnnotatedFrame, Annotations
from im2hands_ros.datasets.mano import ManoHand
from im2hands_ros.datasets.scenes import (
    PUBLISHED_FILL,
    SAMPLINGS,
    ConversionSettings,
    fit_error,
    make_sample,
)
from im2hands_ros.synthetic.dataset import DEFAULT_POINTS
from im2hands_ros.synthetic.sample import Sample, present
from im2hands_ros.synthetic.shards import save_shard, shard_path
from im2hands_ros.synthetic.worker_pool import worker_pool

_PAPER_POINTS = (50_000, 50_000)  # labelled points a hand, (near, volume), as published
# Fits come within some 5 mm of the annotated joints; beyond this the files do not match.
_SUSPICIOUS_FIT = 0.025

# A sample and its fit's distance from the joints, or why there is no sample.
Converted = tuple[Sample, float] | str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--root", required=True, type=Path, help="folder of InterHand2.6M v1.0")
    parser.add_argument("--mano", required=True, type=Path, help="folder of the two MANO files")
    parser.add_argument("--split", required=True, choices=SPLITS)
    parser.add_argument("--out", required=True, type=Path, help="folder to write the shards to")
    parser.add_argument("--annotations", type=Path, help="folder of the split's .json files")
    parser.add_argument("--every", type=int, default=1, help="keep every n-th picture (1)")
    parser.add_argument("--limit", type=int, help="stop after this many pictures (all)")
    parser.add_argument(
        "--sampling",
        choices=tuple(SAMPLINGS),
        default="project",
        help="labelled points as im2hands synthesize or as the paper draws them (project)",
    )
    parser.add_argument(
        "--points",
        metavar="NEAR,VOLUME",
        help="points a hand near the skin and around it (project: 768,256 for train, else "
        "4096,16384; paper: 50000,50000)",
    )
    parser.add_argument(
        "--fill", type=float, default=PUBLISHED_FILL, help="share of the crop the hands take (0.8)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--shard-size", type=int, default=256, help="pictures a shard (256)")


def run(args: argparse.Namespace) -> int:
    """Convert one split; 0 when all shards are there.

    Raises:
        FileNotFoundError, ValueError: something of the data is missing, damaged or of another
        release, or OUT holds shards made otherwise.
    """
    _check_counts(args)
    how = conversion_of(args)
    ManoHand.load(args.mano)  # Before the long reading: wrong files should fail at once.
    print(f"reading the {args.split} annotations of {args.root}", flush=True)
    selection = Annotations(args.root, args.split, args.annotations).interacting
    frames = selection.frames[:: args.every][: args.limit]
    if not frames:
        raise ValueError(f"no picture of two fitted hands in {args.root}: {selection.rejected}")
    record = {
        "made_by": "python -m im2hands_ros.datasets.interhand",
        "data": f"InterHand2.6M v1.0, {args.split}, two interacting hands with MANO fits",
        "licence": "InterHand2.6M is CC BY-NC 4.0, MANO has a licence of its own: not Apache-2.0",
        "conversion": asdict(how)
        | {"every": args.every, "shard_size": args.shard_size, "pictures": len(frames)},
        "not_selected": selection.rejected,
    }
    _write_record(args.out / f"{args.split}.json", record)
    missing = list(_missing_shards(args, frames))
    kept = len(frames) - sum(len(part) for _, part in missing)
    left_out, errors = _convert_all(args, how, missing, kept)
    _print_summary(args, len(frames), left_out, errors)
    return 0


def conversion_of(args: argparse.Namespace) -> ConversionSettings:
    """How samples are made, from the arguments."""
    default = DEFAULT_POINTS[args.split] if args.sampling == "project" else _PAPER_POINTS
    try:
        near, volume = map(int, args.points.split(",")) if args.points else default
    except ValueError:
        raise ValueError(f"--points {args.points}: give two numbers like 768,256") from None
    return ConversionSettings(args.split, near, volume, args.sampling, args.fill)


def _check_counts(args: argparse.Namespace) -> None:
    for name in ("every", "limit", "workers", "shard_size"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} {value}: give at least 1")


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Keep what the shards are made from; raises ValueError if they were made otherwise."""
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before.get("conversion") != record["conversion"]:
            raise ValueError(
                f"{path.parent} holds shards of another conversion ({before.get('conversion')}): "
                "give another --out, or the same arguments"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _missing_shards(
    args: argparse.Namespace, frames: list[AnnotatedFrame]
) -> Iterator[tuple[Path, list[AnnotatedFrame]]]:
    for first in range(0, len(frames), args.shard_size):
        part = frames[first : first + args.shard_size]
        path = shard_path(args.out, args.split, first, len(part))
        if not path.exists():
            yield path, part


def _convert_all(
    args: argparse.Namespace,
    how: ConversionSettings,
    missing: list[tuple[Path, list[AnnotatedFrame]]],
    kept: int,
) -> tuple[Counter[str], list[float]]:
    """Write the missing shards; what was left out by reason, and the fits' errors in metres."""
    left_out, errors = Counter[str](), list[float]()
    total = kept + sum(len(part) for _, part in missing)
    with (
        _workers(args.workers, args.mano, how) as convert,
        tqdm(total=total, initial=kept, unit="picture", desc=args.split) as bar,
    ):
        for path, part in missing:
            samples = []
            for converted in convert(part):
                bar.update()
                if isinstance(converted, str):
                    left_out[converted] += 1
                else:
                    samples.append(converted[0])
                    errors.append(converted[1])
            if samples:
                save_shard(path, samples)
    return left_out, errors


@contextmanager
def _workers(count: int, mano: Path, how: ConversionSettings) -> Iterator[Any]:
    """A function from frames to their `Converted`, in order; one worker is this process."""
    if count == 1:
        hand = ManoHand.load(mano)
        yield partial(map, partial(_convert, hand=hand, how=how))
        return
    with worker_pool(count, _load_hand, mano, how) as pool:
        yield partial(pool.imap, _convert_in_worker, chunksize=4)


_of_worker: dict[str, Any] = {}


def _load_hand(mano: Path, how: ConversionSettings) -> None:
    _of_worker.update(hand=ManoHand.load(mano), how=how)


def _convert_in_worker(frame: AnnotatedFrame) -> Converted:
    return _convert(frame, **_of_worker)


def _convert(frame: AnnotatedFrame, hand: ManoHand, how: ConversionSettings) -> Converted:
    sample = make_sample(frame, hand, how)
    if isinstance(sample, str):
        return sample
    return sample, fit_error(frame, present(sample.keypoints))


def _print_summary(
    args: argparse.Namespace, count: int, left_out: Counter[str], errors: list[float]
) -> None:
    print(f"{count - left_out.total()} of {count} pictures in {args.out}")
    for reason, number in left_out.items():
        print(f"  left out: {number}, {reason}")
    known = np.array(errors)[~np.isnan(errors)] if errors else np.empty(0)
    if not len(known):
        return
    print(f"  MANO keypoints to annotated joints: mean {1000 * known.mean():.1f} mm")
    if known.mean() > _SUSPICIOUS_FIT:
        print(
            "  warning: the published fits come within some 5 mm: do the MANO files, fits and "
            "joints belong together?",
            file=sys.stderr,
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the command; errors are one line."""
    return run_alone(
        "python -m im2hands_ros.datasets.interhand", __doc__, add_arguments, run, arguments
    )


if __name__ == "__main__":
    sys.exit(main())
