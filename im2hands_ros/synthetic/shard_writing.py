"""Samples drawn by several processes and written to shards; those that exist are kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from multiprocessing import SimpleQueue, get_context
from pathlib import Path

from im2hands_ros.synthetic.dataset import make_samples
from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.shards import save_shard, shard_path
from im2hands_ros.synthetic.worker_pool import worker_pool

Shard = tuple[int, int]  # first index, samples


def shard_ranges(start: int, count: int, size: int) -> list[Shard]:
    """The shards of samples ``start`` to ``start + count``, ``size`` in each but the last."""
    end = start + count
    return [(first, min(size, end - first)) for first in range(start, end, size)]


def write_shards(
    folder: Path, split: str, shards: list[Shard], hand: Path | None, workers: int
) -> Iterator[int]:
    """Draw and write shards, yielding how many samples were drawn since.

    hand: as in ``make_samples``; None: the packaged one.
    """
    if not shards:
        return
    progress = get_context("spawn").SimpleQueue()
    with worker_pool(min(workers, len(shards)), _set_progress, progress) as pool:
        pending = pool.map_async(partial(_write_shard, folder, split, hand), shards, chunksize=1)
        while not pending.ready():
            pending.wait(0.2)
            yield from _drain(progress)
        pending.get()
        yield from _drain(progress)


def _drain(progress: SimpleQueue[int]) -> Iterator[int]:
    while not progress.empty():
        yield progress.get()


_progress: SimpleQueue[int] | None = None


def _set_progress(progress: SimpleQueue[int]) -> None:
    global _progress
    _progress = progress


def _write_shard(folder: Path, split: str, hand: Path | None, shard: Shard) -> None:
    assert _progress is not None, "the pool initialises its workers with _set_progress"
    samples = []
    for sample in make_samples(split, *shard, asset=hand or ASSET):
        samples.append(sample)
        _progress.put(1)
    save_shard(shard_path(folder, split, *shard), samples)
