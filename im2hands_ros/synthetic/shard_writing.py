"""Samples drawn by several processes and written to shards; those that exist are kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from multiprocessing import SimpleQueue, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from im2hands_ros.synthetic.dataset import BLOCK, make_samples
from im2hands_ros.synthetic.hand import ASSET
from im2hands_ros.synthetic.people import OTHER, PACKAGED, person
from im2hands_ros.synthetic.sample import Sample
from im2hands_ros.synthetic.shapes import make_shapes
from im2hands_ros.synthetic.shards import save_shard, shard_path
from im2hands_ros.synthetic.worker_pool import worker_pool

Shard = tuple[int, int]  # first index, samples


class Drawing(NamedTuple):
    """What is drawn.

    Attributes:
        hand: file of the hand, as in ``make_samples``.
        people: every `BLOCK` of samples shows the hand of another person (`people.person`).
        pictures: False for samples of `make_shapes`.
    """

    hand: Path = ASSET
    people: bool = False
    pictures: bool = True


def shard_ranges(start: int, count: int, size: int) -> list[Shard]:
    """The shards of samples ``start`` to ``start + count``, ``size`` in each but the last."""
    end = start + count
    return [(first, min(size, end - first)) for first in range(start, end, size)]


def shards_of_people(start: int, count: int, each: int) -> list[Shard]:
    """Shards of the first ``each`` samples of every block, from the one of sample ``start`` on.

    So many people are drawn with few samples of each. The last shard may be smaller.
    """
    ranges = []
    for number, first in enumerate(range(0, count, each)):
        ranges.append(((start // BLOCK + number) * BLOCK, min(each, count - first)))
    return ranges


def write_shards(
    folder: Path, split: str, shards: list[Shard], drawing: Drawing, workers: int
) -> Iterator[int]:
    """Draw and write shards, yielding how many samples were drawn since."""
    if not shards:
        return
    progress = get_context("spawn").SimpleQueue()
    with worker_pool(min(workers, len(shards)), _set_progress, progress) as pool:
        pending = pool.map_async(partial(_write_shard, folder, split, drawing), shards, chunksize=1)
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


def _write_shard(folder: Path, split: str, drawing: Drawing, shard: Shard) -> None:
    assert _progress is not None, "the pool initialises its workers with _set_progress"
    samples = []
    for sample in draw(split, shard, drawing):
        samples.append(sample)
        _progress.put(1)
    save_shard(shard_path(folder, split, *shard), samples)


def draw(split: str, shard: Shard, drawing: Drawing) -> Iterator[Sample]:
    """The samples of a shard."""
    make = make_samples if drawing.pictures else make_shapes
    if not drawing.people:
        yield from make(split, *shard, asset=drawing.hand)
        return
    first, count = shard
    # A person is known by its file, as any hand is.
    with np.load(drawing.hand) as asset, TemporaryDirectory() as folder:
        for block in range(first // BLOCK, (first + count - 1) // BLOCK + 1):
            file = Path(folder) / f"person_{block}.npz"
            spread = PACKAGED if drawing.hand == ASSET else OTHER
            np.savez(file, **person(dict(asset), block, spread))
            low, high = max(first, block * BLOCK), min(first + count, (block + 1) * BLOCK)
            yield from make(split, low, high - low, asset=file)
