"""``im2hands synthesize``: write samples to shards on disk, by several processes, resumable."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

# Seeds of the splits live with the samples; importing them here would load torch for ``--help``.
_SPLITS = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Reads the packaged hand, or another one; writes synthetic two-hand samples (image, "
        "camera, keypoints, mask, occupancy labels) as .npz shards. The same split and indices "
        "always give the same samples (between CPUs to a micrometre, and to a few grey levels "
        "in a few pixels). Shards that exist are kept: run it again to go on "
        "after an interruption."
    )
    parser.add_argument(
        "--split", required=True, choices=_SPLITS, help="which seed range to draw from"
    )
    parser.add_argument("--count", required=True, type=int, help="how many samples")
    parser.add_argument(
        "--start", type=int, default=0, help="index of the first sample (default 0)"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder to write the shards to")
    parser.add_argument(
        "--hand", type=Path, help="hand of tools/bake_other_hand.py (the packaged one)"
    )
    parser.add_argument(
        "--people",
        action="store_true",
        help="every 64 samples show another person's hand: other proportions, flesh and size",
    )
    parser.add_argument(
        "--no-pictures",
        action="store_true",
        help="hands alone, without pictures, in a tenth of the time: for steps that use none",
    )
    parser.add_argument(
        "--each",
        type=int,
        help="with --people: so many samples of a person, a shard each, and the next person then; "
        "of every 64 indices the others are left out",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--shard-size", type=int, default=256, help="samples per shard (default 256)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the shards; 0 when all are there.

    Raises:
        ValueError: a count, start or worker number that makes no sense.
    """
    for name in ("count", "workers", "shard_size"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(args, name)}: give at least 1")
    if args.start < 0:
        raise ValueError(f"--start {args.start}: give 0 or more")
    if args.each is not None and not (args.people and 1 <= args.each <= 64):
        raise ValueError(f"--each {args.each}: give 1 to 64, with --people")

    from im2hands_ros.synthetic.hand import ASSET
    from im2hands_ros.synthetic.shard_writing import (
        Drawing,
        shard_ranges,
        shards_of_people,
        write_shards,
    )
    from im2hands_ros.synthetic.shards import shard_path

    args.out.mkdir(parents=True, exist_ok=True)
    shards = (
        shards_of_people(args.start, args.count, args.each)
        if args.each
        else shard_ranges(args.start, args.count, args.shard_size)
    )
    missing = [each for each in shards if not shard_path(args.out, args.split, *each).exists()]
    kept = args.count - sum(count for _, count in missing)
    with tqdm(total=args.count, initial=kept, unit="sample", desc=f"{args.split}") as bar:
        drawing = Drawing(args.hand or ASSET, args.people, not args.no_pictures)
        for drawn in write_shards(args.out, args.split, missing, drawing, args.workers):
            bar.update(drawn)
    print(f"{len(shards)} shards, {args.count} samples in {args.out}")
    return 0
