"""``im2hands synthesize``: write samples to shards on disk, by several processes, resumable."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

# Seeds of the splits live with the samples; importing them here would load torch for ``--help``.
_SPLITS = ("train", "val", "test")
_SINGLE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "IGL_NUM_THREADS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Reads the packaged hand, or another one; writes synthetic two-hand samples (image, "
        "camera, keypoints, mask, occupancy labels) as .npz shards. The same split and indices "
        "always give the same samples. Shards that exist are kept: run it again to go on "
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
    args.out.mkdir(parents=True, exist_ok=True)
    shards = list(shard_ranges(args.start, args.count, args.shard_size))
    paths = [shard_path(args.out, args.split, *shard) for shard in shards]
    missing = [shard for shard, path in zip(shards, paths, strict=True) if not path.exists()]
    kept = args.count - sum(count for _, count in missing)
    with tqdm(total=args.count, initial=kept, unit="sample", desc=f"{args.split}") as bar:
        for written in _write_all(args, missing):
            bar.update(written)
    print(f"{len(shards)} shards, {args.count} samples in {args.out}")
    return 0


def shard_ranges(start: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """(first index, samples) of each shard."""
    end = start + count
    return ((first, min(size, end - first)) for first in range(start, end, size))


def shard_path(out: Path, split: str, first: int, count: int) -> Path:
    """Where the shard of these samples lies."""
    return out / f"{split}_{first:08d}_{count:04d}.npz"


def _write_all(args: argparse.Namespace, shards: list[tuple[int, int]]) -> Iterator[int]:
    """Write shards, yielding the number of samples as each progresses."""
    if not shards:
        return
    for name in _SINGLE_THREAD:
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    progress = context.SimpleQueue()
    with context.Pool(
        min(args.workers, len(shards)), initializer=_start_worker, initargs=(progress,)
    ) as pool:
        write = partial(_write_shard, args.split, args.out, args.hand)
        pending = pool.map_async(write, shards, chunksize=1)
        while not pending.ready():
            yield from _drain(progress)
            pending.wait(0.2)
        pending.get()
        yield from _drain(progress)


def _drain(progress: multiprocessing.SimpleQueue) -> Iterator[int]:
    while not progress.empty():
        yield progress.get()


_progress: multiprocessing.SimpleQueue | None = None


def _start_worker(progress: multiprocessing.SimpleQueue) -> None:
    """One thread per process: more would only fight the other workers for the cores."""
    import cv2
    import torch

    global _progress
    _progress = progress
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _write_shard(split: str, out: Path, hand: Path | None, shard: tuple[int, int]) -> None:
    from im2hands_ros.synthetic.dataset import make_samples
    from im2hands_ros.synthetic.hand import ASSET
    from im2hands_ros.synthetic.shards import save_shard

    assert _progress is not None, "the pool starts its workers with _start_worker"
    first, count = shard
    samples = []
    for done, sample in enumerate(make_samples(split, first, count, asset=hand or ASSET), 1):
        samples.append(sample)
        if done % 8 == 0 or done == count:
            _progress.put(8 if done % 8 == 0 else done % 8)
    save_shard(shard_path(out, split, first, count), samples)
